using System.Text.Json;
using Baton.Core.Api;
using Baton.Node.Settings;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Baton.Node.Tests.Histories;

/// <summary>Two whole nodes, each with a clock of its own, that lead one channel in turn. Orders to open come from the test; heartbeats are so rare that they say nothing meanwhile.</summary>
internal sealed class HistoryNodes : IHistorySubject, IAsyncDisposable
{
    private readonly NodeFixture _fixture;
    private readonly ScriptedControlPlane _plane;
    private readonly Seat[] _seats = [new("node-1"), new("node-2")];
    private int _leader;
    private bool _oldLives;
    private long _term;

    private HistoryNodes(NodeFixture fixture, ScriptedControlPlane plane) => (_fixture, _plane) = (fixture, plane);

    public string Channel { get; private set; } = "";

    public long ClockMs
    {
        get => Leader.Clock.Milliseconds;
        set => Leader.Clock.Milliseconds = value;
    }

    private Seat Leader => _seats[_leader];

    private Seat Other => _seats[1 - _leader];

    public static async Task<HistoryNodes> StartAsync(NodeFixture fixture)
    {
        var nodes = new HistoryNodes(fixture, await ScriptedControlPlane.StartAsync());
        foreach (var seat in nodes._seats)
        {
            seat.Node = await nodes.StartAsync(seat);
        }

        return nodes;
    }

    /// <summary>Begins with a channel that nobody has opened.</summary>
    public async Task NewChannelAsync()
    {
        if (_term > 0)
        {
            await Task.WhenAll(_seats.Select(s => OrderAsync(s, "close", new CloseChannelRequest(_term))));
        }

        (Channel, _term, _leader, _oldLives) = (NodeFixture.NewChannel(), 1, 0, false);
        Leader.Clock.Milliseconds = Other.Clock.Milliseconds = MovableClock.StartMs;
        await OrderAsync(Leader, "open", new OpenChannelRequest(_term));
    }

    public Task<string> SendAsync(HistoryRequest request) => SendAsync(Leader, request);

    // A time tick that the leader writes by itself may be on its way: then the last record is not the last durable one.
    public async Task<(string Text, long LastLsn)> StateAsync()
    {
        ChannelStatus s = null!;
        await Eventually.HoldsAsync(
            async () =>
            {
                s = await Leader.Node!.StatusAsync(Channel);
                return s.LastLsn == 0 ? s.LastTimeTick == 0 : (await ReadAsync(s.LastLsn, 1, Isolation.All)).Messages[0].TimeTick == s.LastTimeTick;
            },
            "what is on its way is durable");
        return (AnswerText.State(s.LastLsn, s.LastTimeTick, s.ReplicateRole, s.Checkpoint, s.OpenTransactions, s.LastConfirmedLsn), s.LastLsn);
    }

    public Task<ReadResponse> ReadAsync(long from, int max, Isolation isolation) => ReadAsync(Leader, from, max, isolation);

    // Snapshots come every few records, behind the writes.
    public Task SnapshotAsync() => Task.CompletedTask;

    public async Task RestartAsync()
    {
        await Leader.Node!.DisposeAsync();
        Leader.Node = await StartAsync(Leader);
        await OrderAsync(Leader, "open", new OpenChannelRequest(++_term));
    }

    public async Task TakeoverAsync()
    {
        var clockMs = ClockMs;
        (_leader, _oldLives) = (1 - _leader, true);
        ClockMs = clockMs;
        await OrderAsync(Leader, "open", new OpenChannelRequest(++_term));
    }

    public async Task<string?> SendToOldAsync(HistoryRequest request) => _oldLives ? await SendAsync(Other, request) : null;

    public async Task<ReadResponse?> ReadFromOldAsync(long from, int max, Isolation isolation) => _oldLives ? await ReadAsync(Other, from, max, isolation) : null;

    public async ValueTask DisposeAsync()
    {
        foreach (var seat in _seats.Where(s => s.Node is not null))
        {
            await seat.Node!.DisposeAsync();
        }

        await _plane.DisposeAsync();
    }

    private async Task<TestNode> StartAsync(Seat seat)
    {
        var joins = _plane.Joins.Count;
        var node = await TestNode.StartAsync(
            _fixture,
            _plane,
            seat.Id,
            builder =>
            {
                // A snapshot every few records is below what settings allow.
                builder.Services.RemoveAll<IValidateOptions<NodeSettings>>();
                builder.Services.AddSingleton<TimeProvider>(seat.Clock);
            },
            ("Node:SnapshotEveryRecords", "5"),
            ("Node:HeartbeatIntervalMs", "600000"));
        await Eventually.HoldsAsync(() => _plane.Joins.Count > joins, $"{seat.Id} has joined");
        return node;
    }

    private async Task OrderAsync(Seat seat, string order, object body) =>
        _ = await TestNode.OkAsync<ChannelStatus>(seat.Node!.PostAsync($"channels/{Channel}/{order}", body, seat.Node.Control));

    private Task<ReadResponse> ReadAsync(Seat seat, long from, int max, Isolation isolation) =>
        seat.Node!.ReadAsync(Channel, isolation == Isolation.All ? "all" : "committed", from, max);

    private Task<string> SendAsync(Seat seat, HistoryRequest request)
    {
        var (node, path) = (seat.Node!, $"channels/{Channel}");
        return request switch
        {
            HistoryRequest.Append append => TellAsync<AppendResponse>(node.PostAsync(append.TxnId is { } txn ? $"{path}/transactions/{txn}/messages" : $"{path}/messages", append.Body), Written),
            HistoryRequest.Begin begin => TellAsync<BeginTransactionResponse>(node.PostAsync($"{path}/transactions", new BeginTransactionRequest(begin.KeepaliveMs)), a => AnswerText.Begun(a.TxnId, a.ExpiresAt)),
            HistoryRequest.End end => TellAsync<AppendResponse>(node.PostRawAsync($"{path}/transactions/{end.TxnId}/{(end.Commit ? "commit" : "rollback")}", ""), Written),
            HistoryRequest.Control control => TellAsync<ControlResponse>(
                node.PostAsync($"{path}/control", control.Body(Channel), node.Control), a => AnswerText.Controlled(a.Ack, a.Duplicate, a.RolledBackTxnIds, a.LastReplicated)),
            HistoryRequest.Replicate replicate => TellAsync<ReplicateResponse>(
                Pair.Of(Channel).ReplicateAsync(node, replicate.Records), a => AnswerText.Replicated(a.Appended, a.Ignored, a.Checkpoint)),
            _ => throw new ArgumentOutOfRangeException(nameof(request)),
        };
    }

    private string Written(AppendResponse answer)
    {
        Assert.Equal(_term, answer.Term);
        return AnswerText.Written(answer.FirstLsn, answer.LastLsn, answer.TimeTick);
    }

    private static async Task<string> TellAsync<T>(Task<HttpResponseMessage> call, Func<T, string> tell)
    {
        using var answer = await call;
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? tell(JsonSerializer.Deserialize<T>(text, BatonJson.Options)!) : JsonSerializer.Deserialize<Problem>(text, BatonJson.Options)!.Code;
    }

    /// <summary>A place for a node, which outlives it.</summary>
    private sealed class Seat(string id)
    {
        public string Id { get; } = id;

        public MovableClock Clock { get; } = new();

        public TestNode? Node { get; set; }
    }
}
