namespace Baton.DevHost.Processes;

/// <summary>The pipe on standard input as a sign of life: it ends with the process that holds its other end, however that process died.</summary>
internal static class Lifeline
{
    /// <summary>Set to <c>true</c> for a process that shall end with the one that started it.</summary>
    public const string Variable = "ExitWhenStdinCloses";

    /// <summary>A token that is cancelled when standard input ends, if the environment asks for it; else one that never is.</summary>
    public static CancellationToken Watch()
    {
        return string.Equals(Environment.GetEnvironmentVariable(Variable), "true", StringComparison.OrdinalIgnoreCase) ? ParentGone() : CancellationToken.None;
    }

    /// <summary>A token that is cancelled when standard input ends.</summary>
    public static CancellationToken ParentGone()
    {
        // Owned by the process: it lives as long as the process does.
        var ended = new CancellationTokenSource();
        var reader = new Thread(() =>
        {
            using var input = Console.OpenStandardInput();
            var buffer = new byte[256];
            while (input.Read(buffer) > 0)
            {
                // Nothing is said over it.
            }

            ended.Cancel();
        })
        {
            IsBackground = true,
            Name = "lifeline",
        };
        reader.Start();
        return ended.Token;
    }
}
