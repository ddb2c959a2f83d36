namespace Baton.Storage;

/// <summary>The parts of a storage connection string that a table client needs.</summary>
/// <remarks>Its errors name the missing part and hold nothing of the text, which has the key in it.</remarks>
internal sealed record StorageConnectionString(string AccountName, string AccountKey, Uri TableEndpoint)
{
    // The emulator's account and key are public: they are in its documentation.
    private const string EmulatorAccount = "devstoreaccount1";
    private const string EmulatorKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// <summary>The parts of <paramref name="text"/>.</summary>
    /// <exception cref="FormatException">A part is missing or malformed.</exception>
    public static StorageConnectionString Parse(string text)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        var parts = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var part in text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                throw new FormatException("The connection string has a part that is not name=value.");
            }

            parts[part[..equals]] = part[(equals + 1)..];
        }

        if (parts.TryGetValue("UseDevelopmentStorage", out var emulator) && string.Equals(emulator, "true", StringComparison.OrdinalIgnoreCase))
        {
            return new StorageConnectionString(EmulatorAccount, EmulatorKey, new Uri($"http://127.0.0.1:10002/{EmulatorAccount}"));
        }

        var account = Required(parts, "AccountName");
        return new StorageConnectionString(account, Required(parts, "AccountKey"), Endpoint(parts, account));
    }

    private static Uri Endpoint(Dictionary<string, string> parts, string account)
    {
        if (parts.TryGetValue("TableEndpoint", out var given))
        {
            return Uri.TryCreate(given, UriKind.Absolute, out var endpoint)
                ? endpoint
                : throw new FormatException("The connection string's TableEndpoint is not an absolute URI.");
        }

        var scheme = parts.GetValueOrDefault("DefaultEndpointsProtocol", "https");
        var suffix = parts.GetValueOrDefault("EndpointSuffix", "core.windows.net");
        return Uri.TryCreate($"{scheme}://{account}.table.{suffix}/", UriKind.Absolute, out var built)
            ? built
            : throw new FormatException("The connection string's DefaultEndpointsProtocol, AccountName and EndpointSuffix make no URI.");
    }

    private static string Required(Dictionary<string, string> parts, string name) =>
        parts.TryGetValue(name, out var value) && value.Length > 0
            ? value
            : throw new FormatException($"The connection string has no {name}.");
}
