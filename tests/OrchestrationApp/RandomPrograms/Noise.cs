namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>Text that does not compress: it makes histories outgrow a row.</summary>
internal static class Noise
{
    /// <summary>Always the same for the same key and size.</summary>
    public static string Of(string key, int bytes)
    {
        var noise = new byte[bytes];
        var state = key.Aggregate(2_166_136_261u, (hash, c) => (hash ^ c) * 16_777_619);
        for (var i = 0; i < noise.Length; i++)
        {
            state = (state * 1_664_525) + 1_013_904_223;
            noise[i] = (byte)(state >> 24);
        }

        return Convert.ToBase64String(noise);
    }
}
