using Azure.Storage.Blobs;
using Baton.DevHost.Azurite;
using Baton.Storage.Tables;
using Baton.Testing;

namespace Baton.Storage.Tests;

/// <summary>One account of the shared local storage service, opened as Baton opens it. Every test uses tables and channels of its own names.</summary>
public sealed class StorageFixture : IAsyncLifetime
{
    private readonly AzuriteFixture _azurite = new();

    public AzuriteAccount Account { get; private set; } = null!;

    public string ConnectionString => _azurite.Server.ConnectionString(Account.Name);

    public async Task InitializeAsync()
    {
        await _azurite.InitializeAsync();
        Account = AzuriteFixture.NewAzuriteAccount();
    }

    public Task DisposeAsync() => _azurite.DisposeAsync();

    public BatonStorage Open(Action<TableClientOptions>? tables = null, Action<BlobClientOptions>? blobs = null) =>
        BatonStorage.Open(new StorageOptions { ConnectionString = ConnectionString }, tables, blobs);

    /// <summary>A table that no other test uses.</summary>
    public async Task<TableClient> NewTableAsync(Action<TableClientOptions>? options = null)
    {
        var table = Open(options).Tables.GetTableClient($"t{Guid.NewGuid():N}");
        await Open().Tables.GetTableClient(table.Name).CreateIfNotExistsAsync();
        return table;
    }
}
