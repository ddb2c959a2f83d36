using Baton.Core.Tests.Channels;
using Baton.Core.Wal;
using static Baton.Core.Tests.Channels.LiveChannel;

namespace Baton.Core.Tests.Transactions;

/// <summary>Transactions end in the log although nobody writes. Times are milliseconds after the start.</summary>
public sealed class ExpiryByTickTests
{
    private readonly LiveChannel _channel = new();

    [Fact]
    public void Nothing_is_due_before_the_expiry_and_nothing_without_a_transaction()
    {
        Assert.False(_channel.Tick());
        Assert.Null(_channel.Machine.NextExpiry);
        _channel.Begin(10);

        Assert.Equal(Start.AddMilliseconds(10), _channel.Machine.NextExpiry);
        _channel.AtMs = 9;
        Assert.False(_channel.Tick());
        Assert.Single(_channel.Log);
    }

    [Fact]
    public void At_the_expiry_one_time_tick_ends_all_that_has_expired_and_confirms_the_log()
    {
        _channel.Begin(10);
        _channel.Begin(10);
        var longer = _channel.Begin(500).Answer!.TxnId;
        _channel.AtMs = 20;

        Assert.True(_channel.Tick());
        Assert.False(_channel.Tick());

        Assert.Equal(WalRecordType.TimeTick, _channel.Log[^1].Type);
        Assert.Equal([longer], _channel.Machine.OpenTransactions.Select(t => t.TxnId));
        Assert.Equal(2, _channel.Machine.LastConfirmedLsn);
        Assert.Equal(_channel.Machine.Describe(), _channel.Replay().Describe());
        Assert.Equal(Start.AddMilliseconds(501), _channel.Machine.NextExpiry!.Value);
    }

    [Fact]
    public void When_the_clock_shows_the_expiry_told_the_tick_is_due_though_ticks_have_counters()
    {
        _channel.Append(Messages("a", "b", "c"));
        _channel.Begin(10);

        _channel.AtMs = (long)(_channel.Machine.NextExpiry!.Value - Start).TotalMilliseconds;
        Assert.True(_channel.Tick());
    }

    [Fact]
    public void A_message_puts_the_expiry_off()
    {
        var txn = _channel.Begin(10).Answer!.TxnId;
        _channel.AtMs = 9;
        _channel.AppendTo(txn, Messages("in time"));

        _channel.AtMs = 10;
        Assert.False(_channel.Tick());
        Assert.Equal(Start.AddMilliseconds(19), _channel.Machine.NextExpiry);
    }

    [Fact]
    public void A_clock_that_goes_back_puts_it_off_and_one_that_leaps_forward_brings_it_on()
    {
        _channel.AtMs = 1_000;
        _channel.Begin(10);
        _channel.AtMs = 0;
        Assert.False(_channel.Tick());

        _channel.AtMs = 3_600_000;
        Assert.True(_channel.Tick());
        Assert.Empty(_channel.Machine.OpenTransactions);
    }

    [Fact]
    public void What_a_writer_was_told_is_expired_is_ended_though_the_clock_went_back()
    {
        var txn = _channel.Begin(10).Answer!.TxnId;
        _channel.AtMs = 10;
        Assert.NotNull(_channel.Commit(txn).Error);

        _channel.AtMs = 0;
        Assert.True(_channel.Tick());
        Assert.Empty(_channel.Replay().OpenTransactions);
    }

    [Fact]
    public void Looking_in_vain_leaves_no_trace()
    {
        var txn = _channel.Begin(10).Answer!.TxnId;
        _channel.AtMs = 9;
        Assert.False(_channel.Tick());

        _channel.AtMs = 0;
        Assert.Equal(txn + 1, _channel.AppendTo(txn, Messages("the clock went back")).Answer!.TimeTick);
    }

    [Fact]
    public void Replicated_transactions_never_expire()
    {
        var secondary = SourceRecords.Secondary();
        secondary.Replicate("a", "a-0", SourceRecords.Record(WalRecordType.TxnBegin, 5, txn: 5) with { KeepaliveMs = 10 });
        Assert.Single(secondary.Machine.OpenTransactions);

        secondary.AtMs = 3_600_000;
        Assert.Null(secondary.Machine.NextExpiry);
        Assert.False(secondary.Tick());
    }
}
