using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Cdc;
using Baton.Core.Replication;
using Baton.Core.Tests.Channels;
using Baton.Core.Wal;
using FsCheck;
using FsCheck.Fluent;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Cdc;

/// <summary>Channel a-0 of cluster a, which replicates to b: a history drawn at random, and the order that its records are to be delivered in, found in the simplest way.</summary>
internal sealed class SourceLog
{
    public static readonly ReplicateConfiguration ToB = Of([Named("a", "a-0"), Named("b", "b-0")], ("a", "b"));
    public static readonly ReplicateConfiguration ToBAndC = Of([Named("a", "a-0"), Named("b", "b-0"), Named("c", "c-0")], ("a", "b"), ("a", "c"));
    public static readonly ReplicateConfiguration Alone = Of([Named("a", "a-0")]);

    /// <summary>What happens: before the direction is configured, and since.</summary>
    public static readonly Gen<(IEnumerable<(int, int, int)> Before, IEnumerable<(int, int, int)> Since)> Histories =
        from before in Steps(15)
        from since in Steps(60)
        select (before, since);

    private long _broadcasts;

    private SourceLog()
    {
    }

    public LiveChannel Channel { get; } = new("a", "a-0");

    /// <summary>LSN of the configuration that makes the direction.</summary>
    public long ConfigLsn { get; private set; }

    public DeliveryTerms Terms => new("a", "b", ConfigLsn);

    public static SourceLog Drawn(IEnumerable<(int, int, int)> before, IEnumerable<(int, int, int)> since)
    {
        var source = new SourceLog();
        source.Channel.Append(LiveChannel.Messages("first"));
        source.Run(before, configured: false);
        source.Configure(ToB);
        source.ConfigLsn = source.Channel.Log.Count;
        source.Run(since, configured: true);
        return source;
    }

    /// <summary>An empty history, for tests that write their own.</summary>
    public static SourceLog Fresh() => Drawn([], []);

    public void Configure(ReplicateConfiguration configuration, bool forced = false, bool ignored = false) =>
        Assert.Null(Channel.Configure(1_000 + ++_broadcasts, configuration, forced, ignored).Error);

    /// <summary>LSNs that a committed reader sees from <paramref name="fromLsn"/> on, in its order; of changes of configuration those that are not history.</summary>
    public IReadOnlyList<long> Expected(long fromLsn)
    {
        var expected = new List<long>();
        foreach (var (i, record) in Channel.Log.Index().Skip((int)fromLsn - 1))
        {
            switch (record.Type)
            {
                case WalRecordType.Message or WalRecordType.Broadcast:
                    expected.Add(i + 1);
                    break;
                case WalRecordType.AlterReplicateConfig when i + 1 >= ConfigLsn:
                    expected.Add(i + 1);
                    break;
                case WalRecordType.TxnCommit:
                    expected.AddRange(Channel.Log.Index().Take(i).Where(r => r.Item.Type == WalRecordType.TxnBody && r.Item.TxnId == record.TxnId).Select(r => r.Index + 1L));
                    break;
                default:
                    break;
            }
        }

        return expected;
    }

    /// <summary>The batches that a sender makes of the log from <paramref name="fromLsn"/> on.</summary>
    public IReadOnlyList<DeliveryBatch> Batches(long fromLsn, DeliveryLimits limits, int keptBytes)
    {
        var order = new DeliveryOrder(Terms, keptBytes);
        var batches = new List<DeliveryBatch>();
        var builder = new DeliveryBatchBuilder(limits, fromLsn - 1);
        for (var lsn = fromLsn; lsn <= Channel.Log.Count; lsn++)
        {
            var delivery = order.Take(lsn, Channel.Log[(int)lsn - 1]);
            Assert.True(order.KeptBytes >= 0 && order.KeptBytes <= keptBytes);
            IEnumerable<ReadMessage?> messages = delivery.ReadBack is { } back
                ? Lsns(back.FromLsn, back.ThroughLsn).Select(at => back.Take(at, Channel.Log[(int)at - 1])).Append(back.Commit)
                : delivery.Messages;
            foreach (var message in messages.OfType<ReadMessage>())
            {
                if (!builder.TryAdd(message))
                {
                    batches.Add(builder.Build());
                    builder = new DeliveryBatchBuilder(limits, builder.ThroughLsn);
                    Assert.True(builder.TryAdd(message));
                }
            }

            builder.Pass(lsn, delivery.Ends);
            if (delivery.Ends)
            {
                break;
            }
        }

        batches.Add(builder.Build());
        return batches;
    }

    private static IEnumerable<long> Lsns(long from, long through)
    {
        for (var lsn = from; lsn <= through; lsn++)
        {
            yield return lsn;
        }
    }

    private static Gen<IEnumerable<(int, int, int)>> Steps(int most) =>
        from length in Gen.Choose(0, most)
        from steps in (from what in Gen.Choose(0, 11) from x in Gen.Choose(0, 4) from z in Gen.Choose(0, 7) select (what, x, z)).ListOf(length)
        select (IEnumerable<(int, int, int)>)steps;

    private void Run(IEnumerable<(int What, int X, int Z)> steps, bool configured)
    {
        foreach (var (what, x, z) in steps)
        {
            Channel.AtMs += z - 2;
            var open = Channel.Machine.OpenTransactions;
            var txn = open.Count == 0 ? 1 : open[x % open.Count].TxnId;
            switch (what)
            {
                case 0 or 1:
                    Channel.Append(LiveChannel.Messages([.. Enumerable.Range(0, x + 1).Select(i => $"{Channel.Log.Count}.{i}")]));
                    break;
                case 2 or 3:
                    Channel.Begin(z == 0 ? 3 : 1_000);
                    break;
                case 4 or 5:
                    Channel.AppendTo(txn, LiveChannel.Messages([.. Enumerable.Range(0, x + 1).Select(i => $"{txn}.{i}")]));
                    break;
                case 6 or 7:
                    Channel.Commit(txn);
                    break;
                case 8:
                    Channel.Rollback(txn);
                    break;
                case 9:
                    Channel.Control(++_broadcasts, new BroadcastMessage("drop", ["a-0", "a-0_v1"], []), x == 0 ? "a-0" : "a-0_v1");
                    break;
                case 10 when configured:
                    Configure(x == 0 ? Alone : ToBAndC, forced: z == 0 && x == 0, ignored: x == 0);
                    break;
                case 10:
                    Configure(Alone, forced: x == 0);
                    break;
                default:
                    Channel.Tick();
                    break;
            }
        }
    }
}
