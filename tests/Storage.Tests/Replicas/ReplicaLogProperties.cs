using Baton.Storage.Replicas;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Storage.Tests.Replicas;

/// <summary>Any life of a log, with crashes and refusals of the disk anywhere: what is flushed is there, what is there was written, in order and without a hole.</summary>
public sealed class ReplicaLogProperties
{
    private static readonly Gen<(int What, int X, int Y)> Deed =
        from what in Gen.Choose(0, 11)
        from x in Gen.Choose(0, 19)
        from y in Gen.Choose(0, 9)
        select (what, x, y);

    private static readonly Gen<Life> Lives =
        from fsync in Gen.Elements(Enum.GetValues<ReplicaFsync>())
        from segmentBytes in Gen.Elements(1, 200, 600)
        from seed in Gen.Choose(0, int.MaxValue - 1)
        from failAt in Gen.Choose(0, 300)
        from length in Gen.Choose(1, 60)
        from deeds in Deed.ListOf(length)
        select new Life(fsync, segmentBytes, seed, failAt, [.. deeds]);

    [Fact]
    public void Whatever_happens_what_is_flushed_is_there_and_what_is_there_was_written() =>
        Prop.ForAll(Lives.ToArbitrary(), life => { life.LiveAsync().GetAwaiter().GetResult(); }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Theory]
    [InlineData(ReplicaFsync.Always)]
    [InlineData(ReplicaFsync.Interval)]
    [InlineData(ReplicaFsync.Never)]
    public async Task Whichever_call_the_disk_refuses_the_log_opens_again_and_goes_on(ReplicaFsync fsync)
    {
        (int, int, int)[] script =
        [
            (0, 3, 0), (1, 2, 2), (4, 0, 0), (2, 3, 9), (5, 2, 0), (0, 2, 1), (0, 3, 0), (1, 3, 8), (9, 0, 0), (5, 5, 0), (0, 3, 0), (6, 4, 0),
            (0, 1, 0), (5, 1, 0), (8, 0, 0), (1, 3, 0), (7, 3, 9), (0, 3, 0), (0, 3, 8), (5, 7, 0), (7, 2, 8), (9, 0, 0), (0, 0, 0), (11, 0, 5),
        ];
        var refused = 0;
        for (var failAt = 1; ; failAt++, refused++)
        {
            var life = new Life(fsync, 150, failAt, failAt, script);
            if (!await life.LiveAsync())
            {
                break;
            }
        }

        Assert.InRange(refused, 150, 5_000);
    }

    /// <summary>A life that is lived from its beginning.</summary>
    public sealed record Life(ReplicaFsync Fsync, int SegmentBytes, int Seed, int FailAt, IReadOnlyList<(int What, int X, int Y)> Deeds)
    {
        public override string ToString() => $"{Fsync}, files of {SegmentBytes}, seed {Seed}, call {FailAt} fails: {string.Join(" ", Deeds)}";

        /// <summary>Whether the call that was to fail came.</summary>
        public async Task<bool> LiveAsync()
        {
            await using var life = new ReplicaLife(Fsync, SegmentBytes, Seed);
            life.Disk.FailAt = FailAt;
            foreach (var (what, x, y) in Deeds)
            {
                await life.DoAsync(what, x, y);
            }

            life.Disk.FailAt = 0;
            await life.CheckAsync();
            return life.Disk.Refusals > 0;
        }
    }
}
