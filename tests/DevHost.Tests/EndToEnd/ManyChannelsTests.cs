using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Time;
using Baton.Core.Wal;
using Baton.DevHost.Chaos;
using Baton.DevHost.Clusters;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>
/// A promotion at the size of many channels and many broadcasts that the old primary left incomplete: real processes, everything read back over HTTP.
/// <c>BATON_TESTS=all</c> takes four times as many of both: the most channels that there may be.
/// </summary>
[Collection(ManyChannelsGroup.Name)]
public sealed partial class ManyChannelsTests(ITestOutputHelper output)
{
    private const int PerRequest = 500;
    private static readonly int Channels = Sampled.Count(64, all: 256);
    private static readonly int Broadcasts = Sampled.Count(500, all: 2_000);
    private static readonly TimeSpan Patience = OneCluster.Patience;

    [Fact]
    public async Task A_cluster_of_many_channels_with_many_incomplete_broadcasts_is_promoted_with_a_bounded_number_of_requests_under_way_and_none_sent_over_and_over()
    {
        var folder = Directory.CreateTempSubdirectory("baton-many-").FullName;
        await using (var machine = await LocalMachine.StartAsync(folder, ["b"], keepData: false, CancellationToken.None))
        {
            var clock = Stopwatch.StartNew();
            var b = await machine.StartClusterAsync("b", o => o with { Gateway = false, Nodes = 3, Channels = Channels, StartTimeout = Patience }, CancellationToken.None);
            Say($"{Channels} channels are served");
            var gone = new ReplicateCluster("a", "http://127.0.0.1:9", [.. Enumerable.Range(0, Channels).Select(i => $"a-ch{i}")]);
            await TwoClusters.AppliedAsync(b, new(new ReplicateConfiguration([gone, b.Entry], new([new("a", "b")])), WaitMs: 60_000), CancellationToken.None);
            Say("b is secondary of a cluster that is gone");
            var ids = await DeliverAsync(b);
            Say($"{Broadcasts} broadcasts are on one of their two vchannels");

            var before = await ControlCallsAsync(b);
            using var stop = new CancellationTokenSource();
            var mostInProgress = MostInProgressAsync(b, stop.Token);
            var began = clock.Elapsed;
            var answer = await PromotedAsync(b);
            await stop.CancelAsync();
            var calls = await ControlCallsAsync(b) - before;
            Say($"promoted in {(clock.Elapsed - began).TotalSeconds:0.0} s: {calls} control calls, at most {await mostInProgress} requests seen in progress at once");

            foreach (var step in answer.Steps)
            {
                Say($"   {step.Name} began {(step.At - answer.Steps[0].At).TotalSeconds:0.0} s after the first; {step.Detail}");
            }

            Assert.Equal(Channels, answer.Channels);
            Assert.Equal(Broadcasts, answer.BroadcastsSupplemented);
            Assert.Empty(answer.BroadcastsIncomplete);

            // Each channel's forced record, each broadcast's missing copy; some may be asked again when an answer was late.
            Assert.InRange(calls, Channels + Broadcasts, 2 * (Channels + Broadcasts));
            Assert.InRange(await mostInProgress, 0, 3 * 100);
            await AssertCompleteAsync(b, ids);
            Assert.Empty(await b.Client.BroadcastsAsync(BroadcastState.Replicated, CancellationToken.None));

            void Say(string text) => output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds,7:0.0} s  {text}"));
        }

        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The control vchannel's copies only: the other copy of each was still in the old primary when it died.</summary>
    private static async Task<IReadOnlyList<long>> DeliverAsync(LocalCluster b)
    {
        var first = TimeTicks.FromInstant(DateTimeOffset.UtcNow);
        var ids = Enumerable.Range(1, Broadcasts).Select(i => first + i).ToList();
        foreach (var chunk in ids.Chunk(PerRequest))
        {
            var records = chunk.Select(id =>
            {
                var number = (int)(id - first);
                var message = new BroadcastMessage("createCollection", [VChannels.Control("a-ch0"), OtherVChannel("a", number)], [new(ResourceDomain.Collection, $"c{number}")]);
                return new ReadMessage(number + 10, id, WalRecordType.Broadcast, VChannels.Control("a-ch0"), null, JsonSerializer.SerializeToUtf8Bytes(message, BatonJson.Options), BroadcastId: id);
            });

            // A node whose acks to its control plane pile up says so and takes the same records later.
            await ClusterClient.UntilAsync(
                "the broadcasts are taken over",
                async () => (await b.Client.ReplicateAsync(b.Channels[0], new ReplicateRequest("a", "a-ch0", [.. records]), CancellationToken.None)).Status == 200,
                Patience,
                CancellationToken.None);
        }

        return ids;
    }

    private static string OtherVChannel(string cluster, int number) => string.Create(CultureInfo.InvariantCulture, $"{cluster}-ch{1 + (number % (Channels - 1))}_v1");

    private static async Task<PromotionReport> PromotedAsync(LocalCluster b)
    {
        UpdateReplicateConfigurationResponse? answer = null;
        await ClusterClient.UntilAsync(
            "b is promoted",
            async () => (answer = (await b.Client.UpdateReplicateConfigurationAsync(TwoClusters.ForceUpdate(b), CancellationToken.None)) is { Status: 200 } done ? done.Value : null)?.Promotion is not null,
            Patience,
            CancellationToken.None);
        return answer!.Promotion!;
    }

    private static async Task AssertCompleteAsync(LocalCluster b, IReadOnlyList<long> ids)
    {
        var copies = new List<(string VChannel, long Id)>();
        foreach (var channel in b.Channels)
        {
            copies.AddRange((await b.Client.ReadAllAsync(channel, Isolation.Committed, CancellationToken.None))
                .Where(m => m.Type == WalRecordType.Broadcast)
                .Select(m => (m.VChannel!, m.BroadcastId!.Value)));
        }

        var expected = ids.SelectMany((id, i) => new[] { (VChannels.Control("b-ch0"), id), (OtherVChannel("b", i + 1), id) });
        Assert.Equal(expected.Order(), copies.Order());
    }

    private static async Task<long> ControlCallsAsync(LocalCluster b) =>
        (await MetricsAsync(b)).Sum(text => ControlCalls().Matches(text).Sum(m => long.Parse(m.Groups["value"].Value, CultureInfo.InvariantCulture)));

    /// <summary>Looks again and again until told to stop; what lies between two looks is not seen.</summary>
    private static async Task<long> MostInProgressAsync(LocalCluster b, CancellationToken stop)
    {
        var most = 0L;
        while (!stop.IsCancellationRequested)
        {
            most = Math.Max(most, (await MetricsAsync(b)).Sum(text => InProgress().Matches(text).Sum(m => long.Parse(m.Groups["value"].Value, CultureInfo.InvariantCulture))));
            await Task.Delay(TimeSpan.FromMilliseconds(500), CancellationToken.None);
        }

        return most;
    }

    private static async Task<IReadOnlyList<string>> MetricsAsync(LocalCluster b)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", b.Secrets.ClientSecret);
        var nodes = (await b.Client.TopologyAsync(CancellationToken.None)).Nodes;
        return await Task.WhenAll(nodes.Select(n => http.GetStringAsync(new Uri(n.Endpoint, "metrics"))));
    }

    [GeneratedRegex("""^baton_node_requests_total\{[^}]*route="/channels/\{[a-z]+\}/control"[^}]*\} (?<value>\d+)""", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex ControlCalls();

    [GeneratedRegex("""^baton_node_requests_in_progress (?<value>\d+)""", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex InProgress();
}

/// <summary>By itself: it keeps the whole machine busy, and beside others takes six times as long.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ManyChannelsGroup
{
    public const string Name = "many channels";
}
