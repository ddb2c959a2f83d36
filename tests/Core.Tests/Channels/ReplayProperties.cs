using Baton.Core.Api;
using Baton.Core.Channels;
using Baton.Core.Replication;
using Baton.Core.Wal;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Channels;

/// <summary>
/// Any series of requests, right and wrong, on one channel whose cluster turns primary, secondary and promoted on the way. Every
/// bound is low, so that forgetting takes part. <see cref="LiveChannel"/> checks each answer against what was then applied.
/// </summary>
public sealed class ReplayProperties
{
    [Fact]
    public void A_machine_replayed_from_the_log_equals_the_live_one() => Check(channel => channel.Replay().Describe() == channel.Machine.Describe());

    [Fact]
    public void Two_machines_that_stand_at_the_same_place_prepare_the_same() => Check(channel =>
    {
        var (live, replayed, later) = (channel.Machine, channel.Replay(), LiveChannel.Start.AddDays(1));
        return Text(live.PrepareAppend(LiveChannel.Messages("m"), later)) == Text(replayed.PrepareAppend(LiveChannel.Messages("m"), later))
            && Text(live.PrepareBegin(new BeginTransactionRequest(), later)) == Text(replayed.PrepareBegin(new BeginTransactionRequest(), later));
    });

    [Fact]
    public void No_transaction_is_open_from_before_a_forced_configuration() => Check(channel =>
        channel.Log.FindLastIndex(IsForced) is var at && channel.Machine.OpenTransactions.All(t => t.BeginLsn > at + 1));

    [Fact]
    public void Every_commit_in_the_log_names_a_begin_of_the_same_transaction_that_nothing_ended_before() => Check(channel =>
        channel.Log.Index().Where(r => r.Item.Type == WalRecordType.TxnCommit).All(commit =>
        {
            var begin = (int)commit.Item.TxnBeginLsn - 1;
            var between = channel.Log.Skip(begin + 1).Take(commit.Index - begin - 1);
            return channel.Log[begin] is { Type: WalRecordType.TxnBegin } b && b.TxnId == commit.Item.TxnId
                && !between.Any(r => IsForced(r) || (r.TxnId == b.TxnId && r.Type is not WalRecordType.TxnBody));
        }));

    [Fact]
    public void A_records_source_is_what_the_role_at_its_place_allows() => Check(channel =>
    {
        var machine = new ChannelMachine("b", "b-0", RandomRequests.Low);
        foreach (var (i, record) in channel.Log.Index())
        {
            if (record.Type != WalRecordType.AlterReplicateConfig && (machine.Role == ClusterRole.Secondary) != (record.Source is not null))
            {
                return false;
            }

            if (record.Source is { } source && machine.Role == ClusterRole.Secondary && source.ClusterId != machine.Checkpoint?.ClusterId)
            {
                return false;
            }

            machine.Apply(i + 1, record);
        }

        return true;
    });

    [Fact]
    public void A_checkpoint_never_goes_back_while_the_source_stays() => Check(channel =>
    {
        var machine = new ChannelMachine("b", "b-0", RandomRequests.Low);
        foreach (var (i, record) in channel.Log.Index())
        {
            var before = machine.Checkpoint;
            machine.Apply(i + 1, record);
            if (before is not null && machine.Checkpoint is { } after && after.ClusterId == before.ClusterId && after.TimeTick < before.TimeTick)
            {
                return false;
            }
        }

        return true;
    });

    [Fact]
    public void The_former_source_alone_hears_of_the_force_that_left_it_until_the_channel_is_secondary_again() => Check(channel =>
    {
        var machine = new ChannelMachine("b", "b-0", RandomRequests.Low);
        ReplicateDeparture? left = null;
        foreach (var (i, record) in channel.Log.Index())
        {
            machine.Apply(i + 1, record);
            if (machine.Role == ClusterRole.Secondary)
            {
                left = null;
            }
            else if (IsForced(record) && LastReplicated(record) is { } taken)
            {
                left = new ReplicateDeparture("b", record.BroadcastId, taken);
            }

            if (machine.Departure != left || Heard(machine, "a") != (left?.From.ClusterId == "a" ? left : null) || Heard(machine, "c") != (left?.From.ClusterId == "c" ? left : null))
            {
                return false;
            }
        }

        return true;
    });

    private static void Check(Func<LiveChannel, bool> property) => Prop.ForAll(RandomRequests.Series.ToArbitrary(), requests =>
    {
        var channel = RandomRequests.NewChannel();
        foreach (var request in requests)
        {
            RandomRequests.Run(channel, request);
        }

        return property(channel);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static ReplicateDeparture? Heard(ChannelMachine machine, string source) =>
        machine.PrepareReplicate(new ReplicateRequest(source, $"{source}-0", []), 0, LiveChannel.Start).Error?.Departure;

    private static ReplicateCheckpoint? LastReplicated(WalRecord record) =>
        BroadcastPayload.TryDecode(record.Type, record.Payload.Span, out var content, out _) ? content.LastReplicated : null;

    private static bool IsForced(WalRecord record) =>
        record.Type == WalRecordType.AlterReplicateConfig
        && BroadcastPayload.TryDecode(record.Type, record.Payload.Span, out var content, out _)
        && content.Message.AlterReplicateConfig is { Forced: true, Ignored: false };

    private static string Text<T>(Prepared<T> prepared)
        where T : class => $"{prepared.Error} {prepared.Answer} {string.Join(';', prepared.Records.Select(r => (r.Type, r.TimeTick, r.TxnId)))} {prepared.DurableLsn}";
}
