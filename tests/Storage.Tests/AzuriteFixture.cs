using Azure.Storage.Blobs;
using Baton.DevHost.Azurite;
using Baton.Storage.Tables;

namespace Baton.Storage.Tests;

/// <summary>One local storage service for the tests of a collection. Every test uses tables and channels of its own names.</summary>
public sealed class AzuriteFixture : IAsyncLifetime
{
    private AzuriteServer? _server;

    public AzuriteAccount Account { get; } = AzuriteAccount.Create("storagetests");

    public string ConnectionString => _server!.ConnectionString(Account.Name);

    public async Task InitializeAsync() => _server = await AzuriteServer.StartAsync(new AzuriteOptions { Accounts = [Account] }, CancellationToken.None);

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

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

[CollectionDefinition(Name)]
public sealed class TablesGroup : ICollectionFixture<AzuriteFixture>
{
    public const string Name = "tables";
}

[CollectionDefinition(Name)]
public sealed class WalGroup : ICollectionFixture<AzuriteFixture>
{
    public const string Name = "wal";
}
