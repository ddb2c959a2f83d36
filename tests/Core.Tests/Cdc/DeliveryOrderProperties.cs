using Baton.Core.Cdc;
using Baton.Core.Tests.Channels;
using Baton.Core.Wal;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Cdc;

/// <summary>Any history of a source, cut into requests of any size, with senders that die after any of them: what a target makes of it.</summary>
public sealed class DeliveryOrderProperties
{
    private static readonly Gen<(int Seed, int MaxRecords, int MaxBytes, int KeptBytes)> Ways =
        from seed in Gen.Choose(0, int.MaxValue)
        from maxRecords in Gen.Choose(1, 12)
        from maxBytes in Gen.Elements(600, 2_000, 100_000)
        from keptBytes in Gen.Elements(0, 300, 1_500, 100_000)
        select (seed, maxRecords, maxBytes, keptBytes);

    [Fact]
    public void A_target_ends_with_what_committed_readers_of_the_source_see_in_order_and_once() => Check((source, fromLsn, way) =>
    {
        var (random, target) = (new Random(way.Seed), Target());
        Ship(source, target, fromLsn, way, random);

        Assert.Equal(source.Expected(fromLsn).Select(lsn => (lsn, Text(source.Channel.Log[(int)lsn - 1]))), Committed(target));
        Assert.Empty(target.Machine.OpenTransactions);
    });

    [Fact]
    public void Sending_any_part_again_changes_nothing() => Check((source, fromLsn, way) =>
    {
        var (random, target) = (new Random(way.Seed), Target());
        var batches = source.Batches(fromLsn, new DeliveryLimits(way.MaxRecords, way.MaxBytes), way.KeptBytes);
        for (var sent = 0; sent < batches.Count; sent++)
        {
            Send(target, batches[sent]);
            var length = target.Log.Count;
            for (var again = random.Next(sent + 1); again <= sent; again++)
            {
                Send(target, batches[again]);
            }

            Assert.Equal(length, target.Log.Count);
        }
    });

    [Fact]
    public void What_a_batch_covers_is_what_a_target_has_when_it_has_taken_it() => Check((source, fromLsn, way) =>
    {
        var target = Target();
        foreach (var batch in source.Batches(fromLsn, new DeliveryLimits(way.MaxRecords, way.MaxBytes), way.KeptBytes))
        {
            Send(target, batch);
            var until = source.Expected(fromLsn).Count - source.Expected(batch.ThroughLsn + 1).Count;
            Assert.Equal(source.Expected(fromLsn).Take(until), Committed(target).Select(m => m.Lsn).Take(until));
            Assert.True(Committed(target).Count >= until);
        }
    });

    /// <summary>Senders, one after the other: each begins where the target is and dies after some of its batches, the last one excepted.</summary>
    private static void Ship(SourceLog source, LiveChannel target, long fromLsn, (int Seed, int MaxRecords, int MaxBytes, int KeptBytes) way, Random random)
    {
        for (var deaths = random.Next(4); ; deaths--)
        {
            var start = target.Machine.Checkpoint!.Lsn > 0 ? target.Machine.Checkpoint.Lsn + 1 : fromLsn;
            var batches = source.Batches(start, new DeliveryLimits(way.MaxRecords, way.MaxBytes), way.KeptBytes);
            foreach (var batch in batches.Take(deaths > 0 ? random.Next(batches.Count + 1) : batches.Count))
            {
                Assert.True(batch.Messages.Count <= way.MaxRecords);
                Send(target, batch);
            }

            if (deaths <= 0)
            {
                return;
            }
        }
    }

    private static LiveChannel Target()
    {
        var target = new LiveChannel("b", "b-0");
        Assert.Null(target.Configure(999_999, SourceLog.ToB).Error);
        return target;
    }

    private static void Send(LiveChannel target, DeliveryBatch batch)
    {
        if (batch.Messages.Count > 0)
        {
            Assert.All(target.Replicate("a", "a-0", [.. batch.Messages]), step => Assert.Null(step.Error));
        }
    }

    /// <summary>What a committed reader of the target sees of the source: LSN there, and content.</summary>
    private static List<(long Lsn, string Text)> Committed(LiveChannel target)
    {
        var seen = new List<(long, string)>();
        foreach (var (i, record) in target.Log.Index())
        {
            IEnumerable<WalRecord> visible = record.Type switch
            {
                WalRecordType.Message or WalRecordType.Broadcast or WalRecordType.AlterReplicateConfig => [record],
                WalRecordType.TxnCommit => target.Log.Take(i).Skip((int)record.TxnBeginLsn).Where(r => r.Type == WalRecordType.TxnBody && r.TxnId == record.TxnId),
                _ => [],
            };
            seen.AddRange(visible.Where(r => r.Source is not null).Select(r => (r.Source!.Lsn, Text(r))));
        }

        return seen;
    }

    // Broadcasts are put into the names of the target, so their ids stand for them.
    private static string Text(WalRecord record) => record.BroadcastId > 0 ? $"broadcast {record.BroadcastId}" : System.Text.Encoding.UTF8.GetString(record.Payload.Span);

    private static void Check(Action<SourceLog, long, (int Seed, int MaxRecords, int MaxBytes, int KeptBytes)> property) => Prop.ForAll(
        SourceLog.Histories.ToArbitrary(),
        Ways.ToArbitrary(),
        (history, way) =>
        {
            var source = SourceLog.Drawn(history.Before, history.Since);

            // From the configuration itself, or, towards a former source, from some record before it.
            var fromLsn = way.Seed % 3 == 0 ? (way.Seed % source.ConfigLsn) + 1 : source.ConfigLsn;
            property(source, fromLsn, way);
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200));
}
