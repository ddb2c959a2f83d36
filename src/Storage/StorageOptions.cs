namespace Baton.Storage;

/// <summary>Section <c>Storage</c>: which account, and how to prove who we are. Either a connection string, or both endpoints with an Entra identity.</summary>
public sealed class StorageOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Storage";

    /// <summary>The account's connection string, key included. For the local emulator and for tests; in Azure leave it empty.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Blob endpoint, for an identity: <c>https://&lt;account&gt;.blob.core.windows.net</c>.</summary>
    public Uri? BlobServiceUri { get; set; }

    /// <summary>Table endpoint, for an identity: <c>https://&lt;account&gt;.table.core.windows.net</c>.</summary>
    public Uri? TableServiceUri { get; set; }

    /// <summary>Client id of a user-assigned managed identity; the machine's default identity when empty.</summary>
    public string? ClientId { get; set; }

    /// <summary>Connections to each of the account's endpoints, in one process. Calls beyond it wait for one to be free. More: bursts over many channels end sooner; fewer: fewer sockets.</summary>
    public int MaxConnections { get; set; } = 128;
}
