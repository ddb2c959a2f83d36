using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Channels;
using Baton.Core.Wal;
using static Baton.Core.Tests.Channels.LiveChannel;

namespace Baton.Core.Tests.Channels;

public sealed class ChannelMachineTests
{
    private readonly LiveChannel _channel = new();

    private static AppendRequest By(string producer, long sequence, params string[] texts) => Messages(texts) with { Producer = new ProducerStamp(producer, sequence) };

    [Fact]
    public void A_write_sent_again_is_answered_as_the_first_and_appends_nothing()
    {
        var first = _channel.Append(By("p", 1, "one", "two"));
        _channel.Append(Messages("other"));

        var again = _channel.Append(By("p", 1, "one", "two"));

        Assert.Equal(new WriteAnswer(1, 2, _channel.Log[1].TimeTick), first.Answer);
        Assert.Equal(first.Answer, again.Answer);
        Assert.Equal(2, again.DurableLsn);
        Assert.Equal(3, _channel.Log.Count);
        Assert.Equal(first.Answer, _channel.Replay().PrepareAppend(By("p", 1), LiveChannel.Start).Answer);
    }

    [Fact]
    public void A_producers_latest_writes_are_remembered_and_older_ones_refused()
    {
        for (var i = 1; i <= 7; i++)
        {
            _channel.Append(By("p", i * 10, "m"));
        }

        Assert.Equal(3, _channel.Append(By("p", 30, "m")).Answer!.FirstLsn);
        Assert.Equal(ApiErrorCode.Conflict, _channel.Append(By("p", 20, "m")).Error?.Code);
        Assert.Equal(ApiErrorCode.Conflict, _channel.Append(By("p", 65, "m")).Error?.Code);
        Assert.Equal(8, _channel.Append(By("p", 71, "m")).Answer!.FirstLsn);
    }

    [Fact]
    public void Producers_that_wrote_last_are_remembered()
    {
        var channel = new LiveChannel(limits: ChannelLimits.Default with { Producers = 2 });
        channel.Append(By("p1", 1, "m"));
        channel.Append(By("p2", 1, "m"));
        channel.Append(By("p1", 2, "m"));
        channel.Append(By("p3", 1, "m"));

        Assert.Empty(channel.Append(By("p1", 1, "m")).Records);
        Assert.Single(channel.Append(By("p2", 1, "m")).Records);
    }

    [Fact]
    public void Messages_of_a_transaction_are_idempotent_too_and_their_repeat_outlives_it()
    {
        var txn = _channel.Begin().Answer!.TxnId;
        var first = _channel.AppendTo(txn, By("p", 1, "one"));
        _channel.Commit(txn);

        Assert.Equal(first.Answer, _channel.AppendTo(txn, By("p", 1, "one")).Answer);
        Assert.Equal(3, _channel.Log.Count);
    }

    [Theory]
    [InlineData("P", 1)]
    [InlineData("", 1)]
    [InlineData("p", -1)]
    public void A_producer_that_cannot_be_is_refused(string id, long sequence) =>
        Assert.Equal(ApiErrorCode.InvalidArgument, _channel.Append(By(id, sequence, "m")).Error?.Code);

    [Theory]
    [InlineData("ch1", null)]
    [InlineData("ch1_v1", null)]
    [InlineData("ch1_vcontrol", ApiErrorCode.InvalidArgument)]
    [InlineData("ch2_v1", ApiErrorCode.InvalidArgument)]
    [InlineData("ch1_v", ApiErrorCode.InvalidArgument)]
    [InlineData("ch1_va_vb", ApiErrorCode.InvalidArgument)]
    public void A_message_goes_to_a_vchannel_of_its_channel(string vchannel, ApiErrorCode? code) =>
        Assert.Equal(code, _channel.Append(new AppendRequest([Text("m", vchannel)])).Error?.Code);

    [Fact]
    public void Requests_are_bounded()
    {
        var channel = new LiveChannel(limits: ChannelLimits.Default with { MaxMessages = 2, MaxPayloadBytes = 3, MaxKeyLength = 4 });

        Assert.Null(channel.Append(Messages("abc", "")).Error);
        Assert.Equal(ApiErrorCode.InvalidArgument, channel.Append(Messages("a", "b", "c")).Error?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, channel.Append(Messages()).Error?.Code);
        Assert.Equal(ApiErrorCode.PayloadTooLarge, channel.Append(Messages("abcd")).Error?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, channel.Append(new AppendRequest([Text("a") with { Key = "12345" }])).Error?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, channel.Append(new AppendRequest([null!])).Error?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, channel.Append(new AppendRequest(null!)).Error?.Code);
    }

    [Fact]
    public void Time_ticks_rise_strictly_whatever_the_clock_does()
    {
        foreach (var at in new[] { 5, 5, 0, 6, 2 })
        {
            _channel.AtMs = at;
            _channel.Append(Messages("a", "b"));
        }

        Assert.Equal(_channel.Log.Select(r => r.TimeTick).Distinct().Order(), _channel.Log.Select(r => r.TimeTick));
    }

    [Fact]
    public void A_broadcast_is_appended_once_a_vchannel_and_answered_the_same()
    {
        var message = new BroadcastMessage("drop", ["ch1_v1", "ch1_v2"], []);
        _channel.Begin();

        var first = _channel.Control(40, message, "ch1_v1");
        var other = _channel.Control(40, message, "ch1_v2");
        var again = _channel.Control(40, message, "ch1_v1");

        Assert.Equal(new BroadcastAck(2, 0, _channel.Log[1].TimeTick), first.Answer!.Ack);
        Assert.Equal(3, other.Answer!.Ack.Lsn);
        Assert.Equal(first.Answer.Ack, again.Answer!.Ack);
        Assert.Equal(2, again.DurableLsn);
        Assert.Equal(3, _channel.Log.Count);
        Assert.All(_channel.Acks, a => Assert.Null(a.Source));
    }

    [Fact]
    public void Broadcasts_are_remembered_within_bounds()
    {
        var channel = new LiveChannel(limits: ChannelLimits.Default with { Broadcasts = 2 });
        for (var id = 1; id <= 3; id++)
        {
            channel.Control(id, new BroadcastMessage("drop", ["ch1"], []));
        }

        Assert.Null(channel.Machine.FindBroadcast(1, "ch1"));
        Assert.NotNull(channel.Machine.FindBroadcast(2, "ch1"));
    }

    [Fact]
    public void Control_messages_are_checked()
    {
        var drop = new BroadcastMessage("drop", ["ch1"], []);

        Assert.Equal(ApiErrorCode.InvalidArgument, _channel.Control(0, drop).Error?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, _channel.Control(1, drop, "ch2").Error?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, _channel.Control(1, drop, "ch1_v1").Error?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, _channel.Control(1, null!).Error?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, _channel.Control(1, drop with { Kind = BroadcastMessage.AlterReplicateConfigKind }).Error?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, _channel.Control(1, drop with { AlterReplicateConfig = new AlterReplicateConfig(null!) }).Error?.Code);
        Assert.Empty(_channel.Log);
    }

    [Fact]
    public void A_record_that_cannot_follow_is_damage()
    {
        var machine = new ChannelMachine("c1", "ch1");
        var record = new WalRecord { Type = WalRecordType.Message, TimeTick = 5 };
        machine.Apply(1, record);

        Assert.Throws<InvalidDataException>(() => machine.Apply(3, record with { TimeTick = 6 }));
        Assert.Throws<InvalidDataException>(() => machine.Apply(2, record));
        Assert.Throws<InvalidDataException>(() => machine.Apply(2, record with { TimeTick = 6, Type = WalRecordType.Broadcast, BroadcastId = 1 }));
        Assert.Equal(1, machine.LastLsn);
        machine.Apply(2, record with { TimeTick = 6 });
    }
}
