using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>Whoever reads a log to its end beside its writer gets there, however fast it is written: the end is where a look at it was, not where the log goes meanwhile.</summary>
public sealed class WalGrowingLogTests
{
    private const string Channel = "growing";
    private const int AtFirst = 3;
    private const int EndOfPatience = 50;

    [Fact]
    public Task Reading_to_the_end_of_a_log_that_grows_with_every_look_ends() => AssertEndsAsync(async store =>
    {
        var texts = await store.ReadTextsAsync(Channel);
        return texts.Count;
    });

    [Fact]
    public Task A_replay_beside_the_writer_of_a_log_that_grows_with_every_look_ends() => AssertEndsAsync(async store =>
    {
        var records = new List<long>();
        var last = await store.ReplayAsync(
            Channel,
            new WalReplay((lsn, _) =>
            {
                records.Add(lsn);
                return ValueTask.CompletedTask;
            }),
            CancellationToken.None);
        Assert.Equal(Enumerable.Range(1, records.Count).Select(n => (long)n), records);
        return last!.Value;
    });

    [Fact]
    public Task The_history_of_a_log_that_grows_with_every_look_is_found() => AssertEndsAsync(async store => (await store.ReadHistoryAsync(Channel, CancellationToken.None))!.CommittedLsn);

    private static async Task AssertEndsAsync(Func<WalStore, Task<long>> read)
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        await using var writer = await Open(storage).OpenAsync(Channel, 1);
        for (var i = 0; i < AtFirst; i++)
        {
            await writer.AppendAsync($"{i}");
        }

        var looks = 0;
        storage.AfterRead = async () =>
        {
            if (++looks < EndOfPatience)
            {
                await writer.AppendAsync($"at look {looks}");
            }
        };

        // Another process, which has seen nothing of this log.
        var end = await read(Open(storage));

        Assert.InRange(end, AtFirst, AtFirst + 10);
        Assert.InRange(looks, 1, 10);
    }

    private static WalStore Open(HeldStorage storage) => new(storage, WalTestExtensions.Quick, TimeProvider.System, NullLoggerFactory.Instance);
}
