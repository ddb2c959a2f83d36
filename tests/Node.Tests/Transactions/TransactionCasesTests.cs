using System.Text;
using Baton.Core.Api;
using Baton.Core.Transactions;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Transactions;

/// <summary>The cases of transactions by number, word for word, at a node whose clock the test moves. Those of Core's tests say the same of the rules alone.</summary>
public sealed class TransactionCasesTests(NodeFixture fixture) : IClassFixture<NodeFixture>, IAsyncLifetime
{
    private readonly string _channel = NodeFixture.NewChannel();
    private readonly MovableClock _clock = new();
    private ScriptedControlPlane _plane = null!;
    private TestNode _node = null!;

    public async Task InitializeAsync()
    {
        _plane = await ScriptedControlPlane.StartAsync();
        _plane.Assign("node-1", new Assignment(_channel, "leader", 1, null));
        _node = await TestNode.StartAsync(fixture, _plane, "node-1", builder => builder.Services.AddSingleton<TimeProvider>(_clock));
        await _node.LeadsAsync(_channel, 1);
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        await _plane.DisposeAsync();
    }

    [Fact]
    public async Task T63_a_message_at_10_ms_finds_a_keepalive_of_10_ms_over_and_so_does_one_at_0_afterwards()
    {
        var txn = await BeginAsync(10);

        _clock.Milliseconds += 10;
        AssertExpired(await RefusedAsync(txn, "messages"));
        _clock.Milliseconds -= 10;
        AssertExpired(await RefusedAsync(txn, "messages"));
        Assert.Empty(await _node.TextsAsync(_channel));
    }

    [Fact]
    public async Task T65_a_rollback_at_the_expiry_is_refused_as_expired_and_one_at_0_rolls_back()
    {
        var (late, inTime) = (await BeginAsync(10), await BeginAsync(10));

        await TestNode.OkAsync<AppendResponse>(_node.PostRawAsync(Path(inTime, "rollback"), ""));
        _clock.Milliseconds += 11;
        AssertExpired(await RefusedAsync(late, "rollback"));
        Assert.Contains("rolled back", (await RefusedAsync(inTime, "messages")).Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task T66_rolling_back_all_ends_none_or_three_each_once(int count)
    {
        List<long> open = [];
        for (var i = 0; i < count; i++)
        {
            open.Add(await BeginAsync(TransactionLimitsMs(i)));
            await BodyAsync(open[i], "dropped");
        }

        var first = await TestNode.OkAsync<ControlResponse>(Pair.Of(_channel).ForceAsync(_node, 100));
        var second = await TestNode.OkAsync<ControlResponse>(Pair.Of(_channel).ForceAsync(_node, 200));

        Assert.Equal(open, first.RolledBackTxnIds);
        Assert.Empty(second.RolledBackTxnIds);
        Assert.Empty((await _node.StatusAsync(_channel)).OpenTransactions);
        foreach (var txn in open)
        {
            Assert.Contains("change of the replicate configuration", (await RefusedAsync(txn, "commit")).Detail, StringComparison.Ordinal);
        }

        Assert.DoesNotContain((await _node.ReadAsync(_channel)).Messages, m => m.Type == WalRecordType.TxnBody);

        static long TransactionLimitsMs(int i) => new[] { 0L, 60_000, new TransactionLimits().MaxKeepaliveMs }[i];
    }

    [Fact]
    public async Task T67_a_replicated_begin_keeps_id_18_and_a_year_does_not_end_it()
    {
        var pair = Pair.Of(_channel);
        await pair.FollowAsync(_node);
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(_node, Pair.Begin(1, 10, 18) with { KeepaliveMs = 10 }, Pair.Body(2, 20, 18, "kept")));

        _clock.Milliseconds += 365L * 24 * 60 * 60 * 1_000;
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(_node, Pair.Body(3, 30, 18, "too")));
        Assert.Equal([18L], (await _node.StatusAsync(_channel)).OpenTransactions);
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(_node, Pair.Commit(4, 40, 18)));

        var bodies = (await _node.ReadAsync(_channel)).Messages.Where(m => m.Type == WalRecordType.TxnBody).ToArray();
        Assert.Equal(["kept", "too"], bodies.Select(m => Encoding.UTF8.GetString(m.Payload)));
        Assert.All(bodies, m => Assert.Equal(18, m.TxnId));
    }

    [Fact]
    public async Task T69_a_keepalive_of_minus_1_is_refused_and_begins_nothing()
    {
        await TestNode.ProblemAsync(_node.PostAsync($"channels/{_channel}/transactions", new BeginTransactionRequest(-1)), ApiErrorCode.InvalidArgument);
        Assert.Equal(0, (await _node.StatusAsync(_channel)).LastLsn);
    }

    private static void AssertExpired(Problem problem) => Assert.Contains("expired", problem.Detail, StringComparison.Ordinal);

    private string Path(long txnId, string what) => $"channels/{_channel}/transactions/{txnId}/{what}";

    private async Task<long> BeginAsync(long keepaliveMs) =>
        (await TestNode.OkAsync<BeginTransactionResponse>(_node.PostAsync($"channels/{_channel}/transactions", new BeginTransactionRequest(keepaliveMs)))).TxnId;

    private Task<AppendResponse> BodyAsync(long txnId, string text) =>
        TestNode.OkAsync<AppendResponse>(_node.PostAsync(Path(txnId, "messages"), new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(text))])));

    private Task<Problem> RefusedAsync(long txnId, string what) =>
        TestNode.ProblemAsync(_node.PostAsync(Path(txnId, what), new AppendRequest([new MessageBody([1])])), ApiErrorCode.Conflict);
}
