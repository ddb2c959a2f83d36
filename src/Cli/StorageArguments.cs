using System.CommandLine;
using Baton.Storage;
using Baton.Storage.Wal;

namespace Baton.Cli;

/// <summary>Which storage account to look at: options, or the settings that Baton's programs take from the environment.</summary>
internal static class StorageArguments
{
    private static readonly Option<string?> ConnectionString = new("--connection-string")
    {
        Description = "The account's connection string. Safer in the environment variable Storage__ConnectionString: others on the machine can read a command line, and a shell keeps it.",
    };

    private static readonly Option<string?> BlobUri = new("--blob-uri") { Description = "Blob endpoint, with this machine's Entra identity. Or Storage__BlobServiceUri." };
    private static readonly Option<string?> TableUri = new("--table-uri") { Description = "Table endpoint, with this machine's Entra identity. Or Storage__TableServiceUri." };

    /// <summary>Adds the options to a command.</summary>
    public static void AddTo(Command command)
    {
        command.Options.Add(ConnectionString);
        command.Options.Add(BlobUri);
        command.Options.Add(TableUri);
    }

    /// <summary>Opens the account for reading. No call is made.</summary>
    /// <exception cref="CannotLookException">Nothing names an account, or what does makes no sense.</exception>
    public static WalVerifier Open(ParseResult parsed)
    {
        var given = new StorageOptions { ConnectionString = parsed.GetValue(ConnectionString), BlobServiceUri = Address(parsed.GetValue(BlobUri)), TableServiceUri = Address(parsed.GetValue(TableUri)) };
        var options = given is { ConnectionString: null, BlobServiceUri: null, TableServiceUri: null } ? FromEnvironment() : given;
        try
        {
            // A person waits: tell soon, where a service would go on trying.
            return new WalVerifier(BatonStorage.Open(options), new WalOptions { MaxAttempts = 3 }, TimeProvider.System);
        }
        catch (InvalidOperationException failure)
        {
            throw new CannotLookException(failure.Message, "Set Storage__ConnectionString in the environment, or give --blob-uri and --table-uri.");
        }
    }

    private static StorageOptions FromEnvironment() => new()
    {
        ConnectionString = Variable(nameof(StorageOptions.ConnectionString)),
        BlobServiceUri = Address(Variable(nameof(StorageOptions.BlobServiceUri))),
        TableServiceUri = Address(Variable(nameof(StorageOptions.TableServiceUri))),
        ClientId = Variable(nameof(StorageOptions.ClientId)),
    };

    private static string? Variable(string name) => Environment.GetEnvironmentVariable($"{StorageOptions.Section}__{name}") is { Length: > 0 } value ? value : null;

    private static Uri? Address(string? text) => text is null
        ? null
        : Uri.TryCreate(text, UriKind.Absolute, out var address) ? address : throw new CannotLookException($"'{text}' is no address.", "An endpoint looks like https://<account>.blob.core.windows.net.");
}
