using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>A deposed writer that begins a roll after its segment has gone.</summary>
public sealed class WalLateRollTests
{
    private const string Channel = "ch";
    private readonly ModelWalStorage _model = new();

    [Fact]
    public async Task A_roll_of_a_segment_that_a_later_opener_has_deleted_is_fenced_and_no_damage()
    {
        var options = new WalOptions { MaxSegmentBlocks = 2, RetainMs = 0, RetryDelayMs = 0, RetryMaxDelayMs = 0 };
        await using var old = await Store(options).OpenAsync(Channel, 1);
        await old.AppendAsync("a");
        await using var now = await Store(options).OpenAsync(Channel, 2);
        await now.WriteSnapshotAsync(1, "a"u8.ToArray(), CancellationToken.None);
        Assert.Equal(1, (await now.TrimAsync(long.MaxValue, CancellationToken.None)).Segments);

        await Assert.ThrowsAsync<WalFencedException>(() => old.AppendAsync("late"));
        Assert.Equal(WalEndReason.Fenced, (await old.Ended).Reason);
    }

    private WalStore Store(WalOptions options) => new(_model.Direct(), options, TimeProvider.System, NullLoggerFactory.Instance);
}
