using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using Baton.DevHost.Azurite;
using Baton.Testing;

namespace Baton.DevHost.Tests.Azurite;

public sealed class AzuriteServerTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Two_accounts_do_not_see_each_others_data()
    {
        var one = new BlobServiceClient(azurite.NewAccount());
        var two = new BlobServiceClient(azurite.NewAccount());

        await one.CreateBlobContainerAsync("mine");

        Assert.True((await one.GetBlobContainerClient("mine").ExistsAsync()).Value);
        Assert.False((await two.GetBlobContainerClient("mine").ExistsAsync()).Value);
    }

    [Fact]
    public async Task Data_is_there_again_after_an_orderly_stop()
    {
        var folder = Directory.CreateTempSubdirectory("baton-azurite-").FullName;
        var account = AzuriteAccount.Create("kept");
        var options = new AzuriteOptions { Accounts = [account], DataFolder = folder };
        try
        {
            await using (var first = await AzuriteServer.StartAsync(options, CancellationToken.None))
            {
                await new BlobServiceClient(first.ConnectionString("kept")).CreateBlobContainerAsync("stays");
            }

            await using var second = await AzuriteServer.StartAsync(options, CancellationToken.None);
            Assert.True((await new BlobServiceClient(second.ConnectionString("kept")).GetBlobContainerClient("stays").ExistsAsync()).Value);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_queue_holds_exactly_what_was_not_deleted_and_has_not_expired_whatever_the_order()
    {
        var account = azurite.NewAccount();
        var (queue, other) = (new QueueClient(account, "mine"), new QueueClient(account, "other"));
        await queue.CreateAsync();
        await other.CreateAsync();
        var random = new Random(1121);
        var held = new Dictionary<string, (string Id, string Receipt)>(StringComparer.Ordinal);
        for (var i = 0; i < 60; i++)
        {
            var text = $"message {i}";
            var sent = (await (i % 3 == 0 ? other : queue).SendMessageAsync(text)).Value;
            if (i % 3 != 0)
            {
                held.Add(text, (sent.MessageId, sent.PopReceipt));
                await queue.SendMessageAsync($"expires {i}", timeToLive: TimeSpan.FromSeconds(1));
            }

            if (random.Next(2) == 0 && held.Count > 0)
            {
                var gone = held.ElementAt(random.Next(held.Count));
                await queue.DeleteMessageAsync(gone.Value.Id, gone.Value.Receipt);
                held.Remove(gone.Key);
            }
        }

        // Those that expire do so one by one and many at once.
        var expiry = DateTimeOffset.UtcNow.AddSeconds(2);
        while (DateTimeOffset.UtcNow < expiry)
        {
            await queue.PeekMessageAsync();
        }

        Assert.Equal(held.Keys.Order(StringComparer.Ordinal), (await AllAsync(queue)).Order(StringComparer.Ordinal));
        Assert.Equal(Enumerable.Range(0, 60).Where(i => i % 3 == 0).Select(i => $"message {i}"), await AllAsync(other));
    }

    private static async Task<List<string>> AllAsync(QueueClient queue)
    {
        var all = new List<string>();
        while ((await queue.ReceiveMessagesAsync(5)).Value is { Length: > 0 } some)
        {
            all.AddRange(some.Select(m => m.MessageText));
        }

        return all;
    }
}
