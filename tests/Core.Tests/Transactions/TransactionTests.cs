using Baton.Core.Api;
using Baton.Core.Channels;
using Baton.Core.Tests.Channels;
using Baton.Core.Tests.Replication;
using Baton.Core.Time;
using Baton.Core.Transactions;
using Baton.Core.Wal;
using static Baton.Core.Tests.Channels.LiveChannel;

namespace Baton.Core.Tests.Transactions;

/// <summary>The writer side. Times are milliseconds after the start.</summary>
public sealed class TransactionTests
{
    private static readonly string[] Channels = ["ch1", "ch2"];

    private readonly LiveChannel _channel = new();

    private static void AssertConflict(ApiError? error, string says)
    {
        Assert.Equal(ApiErrorCode.Conflict, error?.Code);
        Assert.Contains(says, error!.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void T63_a_message_at_the_expiry_finds_the_transaction_expired_and_so_does_every_later_one()
    {
        var txn = _channel.Begin(10).Answer!.TxnId;

        _channel.AtMs = 10;
        AssertConflict(_channel.AppendTo(txn, Messages("late")).Error, "expired");
        _channel.AtMs = 0;
        AssertConflict(_channel.AppendTo(txn, Messages("again")).Error, "expired");
        Assert.Single(_channel.Log);
    }

    [Fact]
    public void T63_what_a_writer_was_told_is_expired_is_expired_in_the_log_though_the_clock_went_back()
    {
        var txn = _channel.Begin(10).Answer!.TxnId;
        _channel.AtMs = 10;
        AssertConflict(_channel.Commit(txn).Error, "expired");

        _channel.AtMs = 0;
        _channel.Append(Messages("other"));

        Assert.Empty(_channel.Machine.OpenTransactions);
        Assert.Empty(_channel.Replay().OpenTransactions);
    }

    [Fact]
    public void T63_each_message_renews_and_a_refused_one_does_not()
    {
        var txn = _channel.Begin(10).Answer!.TxnId;

        _channel.AtMs = 9;
        Assert.Null(_channel.AppendTo(txn, Messages("in time")).Error);
        _channel.AtMs = 18;
        Assert.NotNull(_channel.AppendTo(txn, new AppendRequest([])).Error);
        Assert.Null(_channel.AppendTo(txn, Messages("in time")).Error);
        _channel.AtMs = 28;
        AssertConflict(_channel.Commit(txn).Error, "expired");
    }

    [Fact]
    public void T63_the_log_itself_ends_an_expired_transaction_with_the_next_record()
    {
        var txn = _channel.Begin(10).Answer!.TxnId;
        Assert.Equal(0, _channel.Machine.LastConfirmedLsn);

        _channel.AtMs = 50;
        _channel.Append(Messages("other"));

        Assert.Empty(_channel.Machine.OpenTransactions);
        Assert.Equal(2, _channel.Machine.LastConfirmedLsn);
        AssertConflict(_channel.Commit(txn).Error, "expired");
    }

    [Fact]
    public void T65_a_rollback_at_the_expiry_finds_it_expired()
    {
        var txn = _channel.Begin(10).Answer!.TxnId;

        _channel.AtMs = 10;
        AssertConflict(_channel.Rollback(txn).Error, "expired");
    }

    [Fact]
    public void T65_a_rollback_in_time_rolls_back()
    {
        var txn = _channel.Begin(10).Answer!.TxnId;

        Assert.Null(_channel.Rollback(txn).Error);
        Assert.Equal(WalRecordType.TxnRollback, _channel.Log[^1].Type);
        AssertConflict(_channel.AppendTo(txn, Messages("late")).Error, "rolled back, at LSN 2");
        AssertConflict(_channel.Commit(txn).Error, "rolled back, at LSN 2");
    }

    [Fact]
    public void T66_a_forced_configuration_rolls_back_none_where_none_is_open() =>
        Assert.Empty(_channel.Configure(1, Configurations.Of([Configurations.C1(Channels)]), forced: true).Answer!.RolledBackTxnIds);

    [Fact]
    public void T66_a_forced_configuration_rolls_back_three_each_once_whatever_their_keepalive()
    {
        long[] open = [_channel.Begin().Answer!.TxnId, _channel.Begin(3_600_000).Answer!.TxnId, _channel.Begin(60_000).Answer!.TxnId];
        var committed = _channel.Begin().Answer!.TxnId;
        _channel.Commit(committed);

        var result = _channel.Configure(1, Configurations.Of([Configurations.C1(Channels)]), forced: true).Answer!;
        var second = _channel.Configure(2, Configurations.Of([Configurations.C1(Channels)]), forced: true).Answer!;

        Assert.Equal(open, result.RolledBackTxnIds);
        Assert.Empty(second.RolledBackTxnIds);
        Assert.Empty(_channel.Machine.OpenTransactions);
        Assert.Equal(_channel.Log.Count, _channel.Machine.LastConfirmedLsn);
        AssertConflict(_channel.Commit(open[1]).Error, "change of the replicate configuration");
        AssertConflict(_channel.Commit(open[1]).Error, "at LSN 6");
    }

    [Fact]
    public void T66_an_expired_transaction_is_not_rolled_back_as_well()
    {
        _channel.Begin(10);
        _channel.AtMs = 10;

        Assert.Empty(_channel.Configure(1, Configurations.Of([Configurations.C1(Channels)]), forced: true).Answer!.RolledBackTxnIds);
        Assert.Equal(TransactionState.Expired, Assert.Single(Ended(_channel)).State);
    }

    [Fact]
    public void T67_a_replicated_begin_keeps_its_id_and_never_expires()
    {
        var secondary = new LiveChannel("c2");
        secondary.Configure(1, Configurations.Base);
        secondary.Replicate("c1", "ch1", new ReadMessage(7, 5, WalRecordType.TxnBegin, null, null, [], TxnId: 18, KeepaliveMs: 10));

        secondary.AtMs = 1_000_000_000;
        secondary.Control(2, new("drop", ["ch1"], []));

        var session = Assert.Single(secondary.Machine.OpenTransactions);
        Assert.Equal(18, session.TxnId);
        Assert.Null(session.ExpiresAtTick);
        Assert.Equal(0, secondary.Log[1].KeepaliveMs);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(3_600_001)]
    [InlineData(long.MaxValue)]
    public void T69_a_keepalive_that_cannot_be_is_refused(long keepaliveMs)
    {
        Assert.Equal(ApiErrorCode.InvalidArgument, _channel.Begin(keepaliveMs).Error?.Code);
        Assert.Empty(_channel.Log);
    }

    [Fact]
    public void T69_no_keepalive_is_the_default()
    {
        var answer = _channel.Begin().Answer!;

        Assert.Equal(10_000, _channel.Log[0].KeepaliveMs);
        Assert.Equal(LiveChannel.Start.AddSeconds(10), answer.ExpiresAt);
    }

    [Fact]
    public void T70_a_commit_follows_the_bodies_it_commits_and_names_their_begin()
    {
        _channel.Append(Messages("before"));
        var txn = _channel.Begin().Answer!.TxnId;
        _channel.AppendTo(txn, Messages("one", "two"));
        Assert.Equal(1, _channel.Machine.LastConfirmedLsn);

        var commit = _channel.Commit(txn).Answer!;

        Assert.Equal([WalRecordType.Message, WalRecordType.TxnBegin, WalRecordType.TxnBody, WalRecordType.TxnBody, WalRecordType.TxnCommit], _channel.Log.Select(r => r.Type));
        Assert.Equal(2, _channel.Log[^1].TxnBeginLsn);
        Assert.Equal((5, 5), (commit.LastLsn, _channel.Machine.LastConfirmedLsn));
        AssertConflict(_channel.AppendTo(txn, Messages("late")).Error, "committed, at LSN 5");
        AssertConflict(_channel.Rollback(txn).Error, "committed, at LSN 5");
    }

    [Fact]
    public void A_repeated_end_is_answered_as_the_first_and_appends_nothing()
    {
        var (one, two) = (_channel.Begin().Answer!.TxnId, _channel.Begin().Answer!.TxnId);
        var commit = _channel.Commit(one).Answer;
        var rollback = _channel.Rollback(two).Answer;

        Assert.Equal(commit, _channel.Commit(one).Answer);
        Assert.Equal(rollback, _channel.Rollback(two).Answer);
        Assert.Equal(4, _channel.Log.Count);
    }

    [Fact]
    public void An_unknown_transaction_is_not_found()
    {
        Assert.Equal(ApiErrorCode.NotFound, _channel.AppendTo(5, Messages("x")).Error?.Code);
        Assert.Equal(ApiErrorCode.NotFound, _channel.Commit(5).Error?.Code);
    }

    [Fact]
    public void Too_many_open_transactions_are_refused_until_one_ends_or_expires()
    {
        var channel = new LiveChannel(limits: ChannelLimits.Default with { Transactions = new TransactionLimits(MaxOpen: 2) });
        channel.Begin(10);
        channel.Begin(60_000);

        Assert.Equal(ApiErrorCode.Overloaded, channel.Begin().Error?.Code);
        channel.AtMs = 10;
        Assert.Null(channel.Begin().Error);
    }

    [Fact]
    public void How_a_transaction_ended_is_remembered_within_bounds()
    {
        var channel = new LiveChannel(limits: ChannelLimits.Default with { Transactions = new TransactionLimits(EndedKept: 2) });
        long[] ids = [.. Enumerable.Range(0, 3).Select(_ => channel.Begin().Answer!.TxnId)];
        foreach (var id in ids)
        {
            channel.Rollback(id);
        }

        Assert.Equal(ApiErrorCode.NotFound, channel.Commit(ids[0]).Error?.Code);
        Assert.Equal(ApiErrorCode.Conflict, channel.Commit(ids[1]).Error?.Code);
    }

    [Fact]
    public void An_id_is_the_tick_of_its_begin()
    {
        var txn = _channel.Begin().Answer!.TxnId;

        Assert.Equal(TimeTicks.FromInstant(LiveChannel.Start), txn);
        Assert.Equal(txn, _channel.Log[0].TimeTick);
        Assert.Equal(txn, _channel.Log[0].TxnId);
    }

    // The ended sessions are told only by what a late call is answered; the description has them as they are.
    private static IEnumerable<EndedTransaction> Ended(LiveChannel channel)
    {
        var table = new TransactionTable(new TransactionLimits());
        for (var i = 0; i < channel.Log.Count; i++)
        {
            var record = channel.Log[i];
            table.Advance(i + 1, record.TimeTick);
            if (record.Type == WalRecordType.TxnBegin)
            {
                table.Begin(new TransactionSession(record.TxnId, i + 1, record.KeepaliveMs, record.TimeTick, Replicated: false));
            }
        }

        return table.Ended;
    }
}
