using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using Azure.Storage.Queues;
using Baton.DevHost.Chaos;
using Baton.DevHost.Clusters;
using Baton.Storage;
using Baton.Storage.Tables;
using Baton.Testing;

namespace Baton.DevHost.Tests.Chaos;

/// <summary>The storage proxy is the storage, signatures and all, but while it is told to fail.</summary>
public sealed class FlakyStorageTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);

    [Fact]
    public async Task Blobs_tables_and_queues_are_the_storage_s_with_every_kind_of_name()
    {
        var direct = azurite.NewAccount();
        await using var proxy = await FlakyStorage.StartAsync(direct, CancellationToken.None);
        var blob = new BlobServiceClient(proxy.ConnectionString).GetBlobContainerClient("wal");
        await blob.CreateAsync();
        var log = blob.GetAppendBlobClient("a b/ü%41+.seg");
        await log.CreateAsync();
        await log.AppendBlockAsync(new MemoryStream([1, 2, 3]));

        var read = await new BlobServiceClient(direct).GetBlobContainerClient("wal").GetAppendBlobClient("a b/ü%41+.seg").DownloadContentAsync();
        Assert.Equal([1, 2, 3], read.Value.Content.ToArray());

        var queue = new QueueClient(proxy.ConnectionString, "urgent");
        await queue.CreateAsync();
        await queue.SendMessageAsync("<body & more>");
        Assert.Equal("<body & more>", (await queue.ReceiveMessageAsync()).Value.MessageText);

        var table = BatonStorage.Open(new StorageOptions { ConnectionString = proxy.ConnectionString }).Tables.GetTableClient("Rows");
        await table.CreateIfNotExistsAsync(CancellationToken.None);
        await table.AddEntityAsync(new TableEntity("a 'b'", "1") { ["Text"] = "x" }, CancellationToken.None);
        Assert.Equal("x", (await table.GetEntityIfExistsAsync<TableEntity>("a 'b'", "1", cancellationToken: CancellationToken.None)).Value!.GetString("Text"));
    }

    [Fact]
    public async Task A_storage_told_to_be_busy_answers_503_and_does_nothing_until_it_is_well_again()
    {
        var direct = azurite.NewAccount();
        await using var proxy = await FlakyStorage.StartAsync(direct, CancellationToken.None);
        var options = new BlobClientOptions();
        options.Retry.MaxRetries = 0;
        var blobs = new BlobServiceClient(proxy.ConnectionString, options);

        proxy.AnswerBusyFor(Long);
        var busy = await Assert.ThrowsAsync<RequestFailedException>(() => blobs.CreateBlobContainerAsync("mine"));

        Assert.Equal((503, "ServerBusy"), (busy.Status, busy.ErrorCode));
        Assert.Equal(1, proxy.Refused);
        Assert.False((await new BlobServiceClient(direct).GetBlobContainerClient("mine").ExistsAsync()).Value);
        proxy.AnswerBusyFor(TimeSpan.Zero);
        await blobs.CreateBlobContainerAsync("mine");
        Assert.True((await new BlobServiceClient(direct).GetBlobContainerClient("mine").ExistsAsync()).Value);
    }

    [Fact]
    public async Task A_storage_told_to_swallow_takes_a_request_and_neither_does_nor_answers_it()
    {
        var direct = azurite.NewAccount();
        await using var proxy = await FlakyStorage.StartAsync(direct, CancellationToken.None);
        var options = new BlobClientOptions();
        options.Retry.MaxRetries = 0;

        proxy.SwallowFor(Long);
        using var patience = new CancellationTokenSource();
        var creating = new BlobServiceClient(proxy.ConnectionString, options).CreateBlobContainerAsync("mine", cancellationToken: patience.Token);
        await ClusterClient.UntilAsync("the request is there", () => Task.FromResult(proxy.Refused == 1), TimeSpan.FromSeconds(60), CancellationToken.None);

        Assert.False(creating.IsCompleted);
        Assert.False((await new BlobServiceClient(direct).GetBlobContainerClient("mine").ExistsAsync()).Value);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => creating);
    }
}
