using System.Text;
using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Transactions;

public sealed class TransactionTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task T70_a_committed_reader_sees_nothing_until_the_commit_and_then_both()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var begun = await BeginAsync(node, channel);
        await BodyAsync(node, channel, begun.TxnId, "one");
        await node.AppendAsync(channel, "outside");
        await BodyAsync(node, channel, begun.TxnId, "two");
        Assert.Equal(["outside"], await node.TextsAsync(channel));

        var commit = await TestNode.OkAsync<AppendResponse>(node.PostRawAsync(Path(channel, begun.TxnId, "commit"), ""));
        var read = await node.ReadAsync(channel);
        Assert.Equal(["outside", "one", "two"], read.Messages.Select(Text).ToArray());
        Assert.Equal([null, commit.LastLsn, commit.LastLsn], read.Messages.Select(m => m.CommitLsn));
        Assert.Equal([3L, 2L, 4L], read.Messages.Select(m => m.Lsn));
    }

    [Fact]
    public async Task T70_a_reader_of_all_sees_every_record_as_it_stands()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var begun = await BeginAsync(node, channel);
        await BodyAsync(node, channel, begun.TxnId, "one", "two");
        await TestNode.OkAsync<AppendResponse>(node.PostRawAsync(Path(channel, begun.TxnId, "commit"), ""));
        var read = await node.ReadAsync(channel, "all");
        Assert.Equal([WalRecordType.TxnBegin, WalRecordType.TxnBody, WalRecordType.TxnBody, WalRecordType.TxnCommit], read.Messages.Select(m => m.Type));
        Assert.All(read.Messages, m => Assert.Equal(begun.TxnId, m.TxnId));
        Assert.All(read.Messages, m => Assert.Null(m.CommitLsn));
    }

    [Fact]
    public async Task T70_a_rollback_shows_none()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var begun = await BeginAsync(node, channel);
        await BodyAsync(node, channel, begun.TxnId, "one", "two");
        await TestNode.OkAsync<AppendResponse>(node.PostRawAsync(Path(channel, begun.TxnId, "rollback"), ""));
        Assert.Empty((await node.ReadAsync(channel)).Messages);
        Assert.Equal(4, (await node.ReadAsync(channel, "all")).Messages.Count);
    }

    [Fact]
    public async Task A_reader_that_starts_inside_a_transaction_gets_all_of_it_at_its_commit()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var begun = await BeginAsync(node, channel);
        await BodyAsync(node, channel, begun.TxnId, "one", "two");
        await TestNode.OkAsync<AppendResponse>(node.PostRawAsync(Path(channel, begun.TxnId, "commit"), ""));
        var read = await node.ReadAsync(channel, from: 3);
        Assert.Equal(["one", "two"], read.Messages.Select(Text).ToArray());
        Assert.Equal(5, read.NextLsn);
    }

    [Theory]
    [InlineData("commit")]
    [InlineData("rollback")]
    public async Task What_has_ended_takes_nothing_more_and_says_why(string end)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var begun = await BeginAsync(node, channel);
        await TestNode.OkAsync<AppendResponse>(node.PostRawAsync(Path(channel, begun.TxnId, end), ""));
        var other = end == "commit" ? "rollback" : "commit";
        await TestNode.ProblemAsync(node.PostRawAsync(Path(channel, begun.TxnId, other), ""), ApiErrorCode.Conflict);
        await TestNode.ProblemAsync(
            node.PostAsync(Path(channel, begun.TxnId, "messages"), new AppendRequest([new MessageBody([1])])), ApiErrorCode.Conflict);
        Assert.Equal(2, (await node.StatusAsync(channel)).LastLsn);
    }

    [Fact]
    public async Task A_transaction_expires_when_its_keepalive_runs_out()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var begun = await BeginAsync(node, channel, keepaliveMs: 1);
        await Eventually.HoldsAsync(() => DateTimeOffset.UtcNow > begun.ExpiresAt.AddMilliseconds(1), "the keepalive is over");
        await TestNode.ProblemAsync(node.PostRawAsync(Path(channel, begun.TxnId, "commit"), ""), ApiErrorCode.Conflict);
        Assert.Empty((await node.ReadAsync(channel)).Messages);
    }

    [Fact]
    public async Task T69_a_negative_keepalive_is_refused()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(-1)), ApiErrorCode.InvalidArgument);
    }

    [Fact]
    public async Task Open_transactions_survive_a_change_of_leader()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        BeginTransactionResponse begun;
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            begun = await BeginAsync(node, channel, keepaliveMs: 600_000);
            await BodyAsync(node, channel, begun.TxnId, "one");
        }

        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");
        Assert.Equal([begun.TxnId], (await next.StatusAsync(channel)).OpenTransactions);
        await BodyAsync(next, channel, begun.TxnId, "two");
        await TestNode.OkAsync<AppendResponse>(next.PostRawAsync(Path(channel, begun.TxnId, "commit"), ""));
        Assert.Equal(["one", "two"], await next.TextsAsync(channel));
    }

    [Fact]
    public async Task A_channel_holds_a_bounded_number_of_open_transactions()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await Task.WhenAll(Enumerable.Range(0, 256).Select(_ => BeginAsync(node, channel, keepaliveMs: 600_000)));
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(600_000)), ApiErrorCode.Overloaded);
    }

    private static string Text(ReadMessage message) => Encoding.UTF8.GetString(message.Payload);

    private static string Path(string channel, long txnId, string what) => $"channels/{channel}/transactions/{txnId}/{what}";

    private static Task<BeginTransactionResponse> BeginAsync(TestNode node, string channel, long keepaliveMs = 60_000) =>
        TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(keepaliveMs)));

    private static Task<AppendResponse> BodyAsync(TestNode node, string channel, long txnId, params string[] bodies) =>
        TestNode.OkAsync<AppendResponse>(node.PostAsync(
            Path(channel, txnId, "messages"), new AppendRequest([.. bodies.Select(b => new MessageBody(Encoding.UTF8.GetBytes(b)))])));
}
