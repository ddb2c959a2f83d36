using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Baton.Core.Api;
using Baton.Node.Tests.Harness;
using Baton.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Leadership;

/// <summary>
/// Writes that are under way when their leader loses the channel. Writers do what a gateway does: one write outstanding each, and what was answered 421 or 503 is sent again with the same stamp, to
/// the other node. Whatever became of the first try, the log has it once, in its writer's order, where the answer says.
/// </summary>
public sealed class WritesInFlightTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private const int Writers = 4;
    private const int Changes = 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    public enum Loss
    {
        /// <summary>The other opens the channel; the leader learns of it from its log.</summary>
        Fenced,

        /// <summary>The leader is ordered to close it while the other opens it.</summary>
        Closed,

        /// <summary>An append reaches the log and its answer is lost; the leader gives up at once.</summary>
        Faulted,
    }

    [Theory]
    [InlineData(Loss.Fenced, 1)]
    [InlineData(Loss.Closed, 2)]
    [InlineData(Loss.Faulted, 3)]
    public async Task Sent_again_with_its_stamp_each_is_there_once_in_order_and_where_its_answer_says(Loss loss, int seed)
    {
        var random = new Random(seed);
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        LostAnswer[] lost = [new(), new()];
        await using var one = await StartAsync(plane, "node-1", lost[0]);
        await using var two = await StartAsync(plane, "node-2", lost[1]);
        TestNode[] nodes = [one, two];
        await Eventually.HoldsAsync(() => plane.Joins.Count >= 2, "both have joined");
        var term = await OpenAsync(one, channel, 1);

        using var stop = new CancellationTokenSource();
        var acked = new ConcurrentQueue<(string Text, AppendResponse Answer)>();
        var repeats = 0;
        var writers = Enumerable.Range(0, Writers).Select(w => Task.Run(() => WriteAsync(w))).ToArray();
        var leader = 0;
        for (var change = 0; change < Changes; change++)
        {
            var (seen, wanted) = (acked.Count, random.Next(0, 12));
            await Eventually.HoldsAsync(() => acked.Count >= seen + wanted || writers.Any(w => w.IsCompleted), "writes are answered");
            var (old, held) = (nodes[leader], term);
            leader = 1 - leader;
            var joins = plane.Joins.Count;
            if (loss == Loss.Faulted)
            {
                var faulted = lost[1 - leader].NextAsync();
                await Task.WhenAny(faulted, Task.WhenAny(writers)).WaitAsync(Patience);
            }

            var closing = loss == Loss.Closed ? old.PostAsync($"channels/{channel}/close", new CloseChannelRequest(held), old.Control) : null;
            term = await OpenAsync(nodes[leader], channel, term + 1);
            if (closing is not null)
            {
                (await closing).Dispose();
            }

            if (loss == Loss.Faulted)
            {
                // It lets go of everything before it joins again: not of what it opens in the next round.
                await Eventually.HoldsAsync(() => plane.Joins.Count > joins, "the node whose log failed joins again");
            }
        }

        await stop.CancelAsync();
        await Task.WhenAll(writers).WaitAsync(Patience);

        var log = await AllAsync(nodes[leader], channel);
        Assert.Equal(log.Count, log.Select(m => m.Text).Distinct(StringComparer.Ordinal).Count());
        var lsns = log.ToDictionary(m => m.Text, m => m.Lsn, StringComparer.Ordinal);
        Assert.Equal(acked.Select(a => a.Text).Order(StringComparer.Ordinal), lsns.Keys.Order(StringComparer.Ordinal));
        Assert.All(acked, a => Assert.Equal((lsns[a.Text], lsns[a.Text]), (a.Answer.FirstLsn, a.Answer.LastLsn)));
        foreach (var writer in log.GroupBy(m => m.Text.Split(' ')[0], StringComparer.Ordinal))
        {
            Assert.Equal(Enumerable.Range(1, writer.Count()), writer.Select(m => int.Parse(m.Text.Split(' ')[1], CultureInfo.InvariantCulture)));
        }

        Assert.True(repeats >= Changes, $"only {repeats} writes were sent again in {Changes} changes of leader");

        async Task WriteAsync(int writer)
        {
            var at = 0;
            for (var sequence = 1; !stop.IsCancellationRequested; sequence++)
            {
                var text = $"w{writer} {sequence}";
                var since = System.Diagnostics.Stopwatch.GetTimestamp();
                while (true)
                {
                    var (status, answer) = await AppendAsync(nodes[at], channel, text, $"w{writer};{sequence}");
                    if (status == 200)
                    {
                        acked.Enqueue((text, JsonSerializer.Deserialize<AppendResponse>(answer, BatonJson.Options)!));
                        break;
                    }

                    Assert.True(status is 421 or 503, $"{status}: {answer}");
                    Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(since) < Patience, $"{text} was not taken: {answer}");
                    Interlocked.Increment(ref repeats);
                    at = 1 - at;
                }
            }
        }
    }

    private static async Task<(int Status, string Body)> AppendAsync(TestNode node, string channel, string text, string stamp)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"channels/{channel}/messages") { Headers = { { BatonHeaders.Producer, stamp } } };
        var body = new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(text))]);
        request.Content = new StringContent(JsonSerializer.Serialize(body, BatonJson.Options), Encoding.UTF8, "application/json");
        using var answer = await node.Client.SendAsync(request);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>At that term or a higher one: with a single attempt for each call, an opening that meets a snapshot of the other node's fails.</summary>
    private static async Task<long> OpenAsync(TestNode node, string channel, long term)
    {
        for (var tries = 0; ; tries++, term++)
        {
            using var answer = await node.PostAsync($"channels/{channel}/open", new OpenChannelRequest(term), node.Control);
            if (answer.IsSuccessStatusCode)
            {
                return term;
            }

            Assert.True((int)answer.StatusCode == 503 && tries < 20, await answer.Content.ReadAsStringAsync());
        }
    }

    private static async Task<List<(long Lsn, string Text)>> AllAsync(TestNode node, string channel)
    {
        var all = new List<(long, string)>();
        for (long from = 1; ;)
        {
            var read = await node.ReadAsync(channel, from: from);
            if (read.Messages.Count == 0)
            {
                return all;
            }

            all.AddRange(read.Messages.Select(m => (m.Lsn, Encoding.UTF8.GetString(m.Payload))));
            from = read.NextLsn;
        }
    }

    // Heartbeats would close what the control plane does not assign.
    private Task<TestNode> StartAsync(ScriptedControlPlane plane, string id, LostAnswer lost) => TestNode.StartAsync(
        fixture,
        plane,
        id,
        builder => builder.Services.AddSingleton(BatonStorage.Open(new StorageOptions { ConnectionString = fixture.ConnectionString }, configureBlobs: blobs => blobs.AddPolicy(lost, HttpPipelinePosition.PerRetry))),
        ("Node:HeartbeatIntervalMs", "60000"),
        ("Wal:MaxAttempts", "1"));

    /// <summary>Loses the answer to an append to the log when it is told to. Not to one of a snapshot: that would end nobody's leadership.</summary>
    private sealed class LostAnswer : HttpPipelinePolicy
    {
        private TaskCompletionSource? _next;

        /// <summary>The next append's answer is lost; completes when that has happened.</summary>
        public Task NextAsync()
        {
            var next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref _next, next);
            return next.Task;
        }

        public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => ProcessNext(message, pipeline);

        public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
        {
            await ProcessNextAsync(message, pipeline);
            if (IsAppendToLog(message.Request.Uri) && Interlocked.Exchange(ref _next, null) is { } next)
            {
                next.SetResult();
                throw new RequestFailedException("the connection broke");
            }
        }

        private static bool IsAppendToLog(RequestUriBuilder uri) =>
            uri.Query.Contains("comp=appendblock", StringComparison.Ordinal) && uri.Path.Contains("/wal/", StringComparison.Ordinal);
    }
}
