using System.Globalization;
using System.Text.Json;
using Azure.Storage.Queues;
using Baton.Core.Api;
using Baton.DevHost.Clusters;
using Baton.DevHost.FunctionsHost.Queues;

namespace Baton.Bench.Failover;

/// <summary>What needs nodes of a kind that no process is: nodes that note when a write came, that hang, that drop. The control plane and the gateway are real.</summary>
internal sealed class StandInRounds(LocalCluster cluster, Action<string> say, CancellationToken cancellationToken)
{
    private const string RoutineQueue = "routine-reconcile";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan PassPatience = TimeSpan.FromSeconds(20);
    private int _holes;
    private int _messages;

    /// <summary>State written to the write's arrival at the new leader.</summary>
    public Samples Redirect { get; } = new();

    /// <summary>A pass with half of the nodes black-holed: its end.</summary>
    public Samples Pass { get; } = new();

    /// <summary>Of such a pass: when the last healthy node was done.</summary>
    public Samples Healthy { get; } = new();

    /// <summary>Urgent message enqueued to its handler's start, behind routine messages.</summary>
    public Samples Queue { get; } = new();

    /// <summary>Handler's start to the new state being read, with every node unreachable.</summary>
    public Samples Readable { get; } = new();

    /// <summary>Two nodes take turns at leading; a write that hangs at the one goes to the other when the state says so.</summary>
    public async Task RedirectAsync(int rounds)
    {
        const string channel = "b-redirect";
        await using var one = await StandIn.StartAsync(cluster, "stand-in-1", StandInKind.HoldsWrites, cancellationToken);
        await cluster.Client.CreateChannelAsync(channel, 1, cancellationToken);
        await using var other = await StandIn.StartAsync(cluster, "stand-in-2", StandInKind.Answers, cancellationToken);
        var (leads, waits) = (one, other);
        for (var round = 0; round < rounds; round++)
        {
            (leads.HoldsWrites, waits.HoldsWrites) = (true, false);
            var (before, term) = (leads.Writes.Count, (await cluster.Client.RouteAsync(cancellationToken)).Channels[channel].Term);
            var write = cluster.Client.NodeAsync<AppendResponse>(
                cluster.Gateway, HttpMethod.Post, $"channels/{channel}/messages", ClusterClient.Json(new AppendRequest([new MessageBody([1])])), false, cancellationToken);
            await ClusterClient.UntilAsync("the write hangs at the leader", () => Task.FromResult(leads.Writes.Count > before), Patience, cancellationToken);
            var since = DateTimeOffset.UtcNow;
            await cluster.Client.ReportFailedAsync(leads.NodeId, new NodeFailedRequest("the benchmark says so", "operator"), cancellationToken);
            _ = (await write).Value;
            var arrived = waits.Writes.First(w => w.Channel == channel && w.Term > term).At;
            Redirect.Add((arrived - (await FailoverTimes.OfAsync(cluster.Client, leads.NodeId, since, cancellationToken)).WrittenAt).TotalMilliseconds);
            await leads.JoinAsync(cancellationToken);
            (leads, waits) = (waits, leads);
        }

        say($"{rounds} writes redirected");
    }

    /// <summary>Passes over two healthy nodes, one that hangs and one that drops. These two are new in each round: after one pass their circuits are open, and they cost nothing.</summary>
    public async Task ReconcileAsync(int rounds)
    {
        await using var one = await StandIn.StartAsync(cluster, "healthy-1", StandInKind.Answers, cancellationToken);
        await using var other = await StandIn.StartAsync(cluster, "healthy-2", StandInKind.Answers, cancellationToken);

        // A pass that began between the two joins has met the one already: it does not count, and another pair is tried.
        for (var attempt = 0; Pass.Count < rounds && attempt < 3 * rounds; attempt++)
        {
            await ClusterClient.UntilAsync(
                "the stand-ins of before are known to be gone",
                async () => (await cluster.Client.TopologyAsync(cancellationToken)).Nodes.All(n => n.Failed || n.NodeId == one.NodeId || n.NodeId == other.NodeId),
                Patience,
                cancellationToken);
            var since = DateTimeOffset.UtcNow;
            var holes = await Task.WhenAll(HoleAsync(StandInKind.Hangs), HoleAsync(StandInKind.Drops));
            await SendRoutineAsync(1);
            if (await PassOverHalfAsync(since) is { } pass)
            {
                Pass.Add(Step(pass, "Pass"));
                Healthy.Add(Step(pass, "Answering"));
            }

            await Task.WhenAll(holes.Select(h => h.DisposeAsync().AsTask()));
        }

        say($"{Pass.Count} passes with black-holed nodes");
    }

    /// <summary>Urgent messages while routine ones wait and passes meet nodes that do not answer. There are no others: every leader, new and old, is unreachable.</summary>
    public async Task UrgentAsync(int rounds, int routine)
    {
        var channels = new[] { "b-urgent0", "b-urgent1" };
        var holes = new Dictionary<string, StandIn>(StringComparer.Ordinal);
        try
        {
            await AddHolesAsync(holes);
            foreach (var channel in channels)
            {
                await cluster.Client.CreateChannelAsync(channel, 1, cancellationToken);
            }

            await using var route = RouteWatch.Start(cluster.Client, cancellationToken);
            await SendRoutineAsync(routine);
            say($"{routine} routine messages are enqueued");
            var reports = new List<(string NodeId, DateTimeOffset At, string Channel, long Term)>();
            for (var round = 0; round < rounds && await WaitingAsync() > 0; round++)
            {
                if (round % 5 == 4)
                {
                    await AddHolesAsync(holes);
                }

                reports.Add(await ReportLeaderAsync(channels[round % channels.Length], holes));
            }

            say($"{reports.Count} urgent messages while routine ones waited; {await WaitingAsync()} of those are left");
            foreach (var (nodeId, at, channel, term) in reports)
            {
                var times = await FailoverTimes.OfAsync(cluster.Client, nodeId, at, cancellationToken);
                Queue.Add((times.StartedAt - times.ObservedAt).TotalMilliseconds);
                if (route.FirstAbove(channel, term) is { } readable)
                {
                    Readable.Add((readable - times.StartedAt).TotalMilliseconds);
                }
            }
        }
        finally
        {
            await Task.WhenAll(holes.Values.Select(h => h.DisposeAsync().AsTask()));
        }
    }

    // The first pass after a moment that met two nodes of each sort; null where none did.
    private async Task<TimelineView?> PassOverHalfAsync(DateTimeOffset since)
    {
        TimelineView? pass = null;
        try
        {
            await ClusterClient.UntilAsync(
                "a pass has met two nodes that do not answer",
                async () => (pass = (await cluster.Client.TimelineAsync(200, cancellationToken)).LastOrDefault(e => e.Kind == "reconciled" && e.At > since && Met(e, "Answering") == 2 && Met(e, "NotAnswering") == 2)) is not null,
                PassPatience,
                cancellationToken);
        }
        catch (TimeoutException)
        {
            // There was none.
        }

        return pass;
    }

    private async Task<(string NodeId, DateTimeOffset At, string Channel, long Term)> ReportLeaderAsync(string channel, Dictionary<string, StandIn> holes)
    {
        var leader = (await cluster.Client.RouteAsync(cancellationToken)).Channels[channel];
        var at = DateTimeOffset.UtcNow;
        await cluster.Client.ReportFailedAsync(leader.NodeId, new NodeFailedRequest("the benchmark says so", "operator"), cancellationToken);
        await ClusterClient.UntilAsync(
            $"{channel} has another leader",
            async () => (await cluster.Client.RouteAsync(cancellationToken)).Channels.TryGetValue(channel, out var now) && now.Term > leader.Term,
            Patience,
            cancellationToken);
        if (holes.TryGetValue(leader.NodeId, out var hole))
        {
            await hole.JoinAsync(cancellationToken);
        }

        return (leader.NodeId, at, channel, leader.Term);
    }

    private async Task AddHolesAsync(Dictionary<string, StandIn> holes)
    {
        foreach (var hole in await Task.WhenAll(HoleAsync(StandInKind.Hangs), HoleAsync(StandInKind.Drops)))
        {
            holes[hole.NodeId] = hole;
        }
    }

    private Task<StandIn> HoleAsync(StandInKind kind) =>
        StandIn.StartAsync(cluster, string.Create(CultureInfo.InvariantCulture, $"hole-{Interlocked.Increment(ref _holes)}"), kind, cancellationToken);

    private async Task SendRoutineAsync(int count)
    {
        var queues = new LocalQueues(cluster.StorageConnectionString);
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = cancellationToken }, async (_, ct) =>
        {
            var message = new RoutineReconcileMessage(string.Create(CultureInfo.InvariantCulture, $"bench-{Interlocked.Increment(ref _messages)}"), "benchmark", DateTimeOffset.UtcNow);
            await queues.SendAsync(RoutineQueue, JsonSerializer.SerializeToUtf8Bytes(message, BatonJson.Options), ct);
        });
    }

    private async Task<int> WaitingAsync() =>
        (await new QueueClient(cluster.StorageConnectionString, RoutineQueue).GetPropertiesAsync(cancellationToken)).Value.ApproximateMessagesCount;

    // "2 nodes"
    private static int Met(TimelineView entry, string name) =>
        int.TryParse(entry.Steps?.FirstOrDefault(s => s.Name == name)?.Detail?.Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var nodes) ? nodes : 0;

    private static double Step(TimelineView entry, string name) => entry.Steps?.FirstOrDefault(s => s.Name == name)?.ElapsedMs ?? 0;
}
