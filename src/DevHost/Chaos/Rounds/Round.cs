using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.DevHost.Chaos.Checks;
using Baton.DevHost.Chaos.Load;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Rounds;

/// <summary>
/// One round: two clusters under load, the primary lost, the secondary promoted, the former primary back and attached again, as its plan says. In each generation,
/// <list type="number">
/// <item>normal operation: all that the primary committed is in the secondary, in order, once, transactions whole;</item>
/// <item>the promotion: its operation runs, then has succeeded; no transaction is open, no broadcast incomplete, no lock held;</item>
/// <item>the return: the former primary learns that it was superseded and refuses writes; what the promoted cluster has of it is a prefix of what it committed; its salvage list names exactly the rest;</item>
/// <item>the other way round: it is attached again, and all that the new primary committed since is in it.</item>
/// </list>
/// </summary>
public sealed class Round
{
    private const int Channels = 3;
    private const int Copies = 2;
    private readonly RoundPlan _plan;
    private readonly Action<string> _say;
    private readonly CancellationToken _cancellation;
    private readonly List<string> _findings = [];
    private readonly List<PromotionFigures> _promotions = [];

    private Round(RoundPlan plan, Action<string> say, CancellationToken cancellationToken)
    {
        _plan = plan;
        _say = say;
        _cancellation = cancellationToken;
    }

    /// <summary>Runs a round on clusters of its own.</summary>
    /// <param name="plan">What is to happen.</param>
    /// <param name="folder">Where the clusters' logs go.</param>
    /// <param name="say">Hears what happens.</param>
    /// <param name="cancellationToken">Ends it; everything that it started is stopped.</param>
    public static async Task<RoundResult> RunAsync(RoundPlan plan, string folder, Action<string> say, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var round = new Round(plan, say, cancellationToken);
        try
        {
            await using var clusters = await TwoClusters.StartAsync(
                folder, o => o with { Gateway = false, Nodes = RoundPlan.Nodes, Channels = Channels, ReplicationFactor = Copies }, cancellationToken);
            say("both clusters are up");
            await clusters.ReplicateAsync(clusters.A, clusters.B, cancellationToken);
            await round.GenerationAsync(clusters, clusters.A, clusters.B, 1);
            if (plan.Generations > 1 && round._findings.Count == 0)
            {
                await round.GenerationAsync(clusters, clusters.B, clusters.A, 2);
            }
        }
        catch (Exception e) when (e is TimeoutException or ApiAnswerException or InvalidOperationException or HttpRequestException or IOException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            round._findings.Add($"the round did not come to its end: {e.Message}");
        }

        return new RoundResult(plan, round._promotions, round._findings);
    }

    private async Task GenerationAsync(TwoClusters clusters, LocalCluster primary, LocalCluster secondary, int generation)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"g{generation}");
        await NormalOperationAsync(primary, secondary, name);
        var (lost, promoted) = await LoseAndPromoteAsync(clusters, primary, secondary, name);
        await using var load = ClusterLoad.Start(secondary, $"{name}.after", _plan.Seed + 1, _cancellation);
        var salvaged = await ReturnAsync(clusters, primary, secondary, lost);
        await AttachAsync(clusters, primary, secondary, load);
        _promotions.Add(promoted with { Salvaged = salvaged });
    }

    /// <summary>1. Load for a while, then rest: the secondary has all of it.</summary>
    private async Task NormalOperationAsync(LocalCluster primary, LocalCluster secondary, string name)
    {
        await using var load = ClusterLoad.Start(primary, $"{name}.normal", _plan.Seed, _cancellation);
        await load.WaitForAsync(_plan.MessagesFirst, TwoClusters.Patience, _cancellation);
        await load.FinishAsync(TwoClusters.Patience);
        var pairs = await TwoClusters.CaughtUpAsync(primary, secondary, _cancellation);
        Find("normal operation", pairs.SelectMany(DeliveryCheck.Complete));
        CheckOwnLog("normal operation", load.Recorder, pairs.ToDictionary(p => p.SourceChannel, p => p.Source, StringComparer.Ordinal));
        Find("normal operation", BroadcastCheck.Check(pairs.ToDictionary(p => p.SourceChannel, p => p.Source, StringComparer.Ordinal), load.Recorder.Broadcasts));
        Find("normal operation", BroadcastCheck.Check(pairs.ToDictionary(p => p.TargetChannel, p => p.Target, StringComparer.Ordinal), []));
        _say(string.Create(CultureInfo.InvariantCulture, $"{secondary.ClusterId} has all that {primary.ClusterId} has: {pairs.Sum(p => DeliveryCheck.Shipped(p.Source, p.StartLsn).Count())} records"));
    }

    /// <summary>2. Load again, kills under it, the primary lost at its moment, the secondary promoted.</summary>
    private async Task<(Recorder Lost, PromotionFigures Figures)> LoseAndPromoteAsync(TwoClusters clusters, LocalCluster primary, LocalCluster secondary, string name)
    {
        await using var load = ClusterLoad.Start(primary, $"{name}.lost", _plan.Seed, _cancellation);
        await using var lag = await LagWatch.StartAsync(secondary, load.Recorder, _cancellation);
        await load.WaitForAsync(_plan.MessagesFirst, TwoClusters.Patience, _cancellation);
        await KillNodesAsync(primary, secondary);
        await ClusterClient.UntilAsync("the secondary takes over what is written", () => Task.FromResult(lag.Count > 0), TwoClusters.Patience, _cancellation);
        await Task.Delay(_plan.PrimaryDiesAfter, _cancellation);
        if (!_plan.PrimaryLives)
        {
            await primary.KillEverythingAsync();
            await load.AbortAsync();
            _say($"{primary.ClusterId} is dead");
        }

        if (_plan.ControlPlaneDiesAt is { } crashAt)
        {
            await secondary.CrashControlPlaneAsync(crashAt, _cancellation);
        }

        var promotion = await Promotion.RunAsync(secondary, _plan, $"{name}.probe", _cancellation);
        Find("promotion", promotion.Findings);
        var (p50, max) = lag.Lag();
        _say(string.Create(CultureInfo.InvariantCulture, $"{secondary.ClusterId} is promoted: {promotion.Elapsed.TotalMilliseconds:0} ms, first writes everywhere after {promotion.FirstWrite.TotalMilliseconds:0} ms"));
        await StartLostNodesAsync(secondary);
        await CheckPromotedAsync(clusters, secondary);
        if (_plan.PrimaryLives)
        {
            await EndLivingLoadAsync(load);
        }

        var acknowledged = load.Recorder.Messages.Count(m => m.Written == Written.Surely);
        var undisturbed = _plan is { ControlPlaneDiesAt: null, NodeDuringPromotion: null, NodeOfSecondary: null };
        return (load.Recorder, new PromotionFigures(
            secondary.ClusterId, acknowledged, p50, max, promotion.Elapsed.TotalMilliseconds, promotion.FirstWrite.TotalMilliseconds, undisturbed,
            promotion.Report?.TransactionsRolledBack, promotion.Report?.BroadcastsSupplemented, 0));
    }

    /// <summary>3. The former primary is back, or has lived on, and learns what happened.</summary>
    private async Task<long> ReturnAsync(TwoClusters clusters, LocalCluster former, LocalCluster promoted, Recorder lost)
    {
        if (!_plan.PrimaryLives)
        {
            await TwoClusters.StartAgainAsync(former, RoundPlan.Nodes, _cancellation);
        }
        else if (_plan.NodeOfPrimary is { } node)
        {
            await former.StartNodeAsync(node, _cancellation);
        }

        await ClusterClient.UntilAsync(
            $"cluster {former.ClusterId} knows that it was superseded",
            async () => (await former.Client.ReplicateConfigurationAsync(_cancellation)).Superseded?.By == promoted.ClusterId,
            TwoClusters.Patience,
            _cancellation);
        await RefusedWriteAsync(former);
        await TwoClusters.BroadcastsCompleteAsync(former, _cancellation);

        var (pairs, salvage) = await SalvageAsync(former, promoted);
        Find("return", pairs.SelectMany(DeliveryCheck.Prefix));
        Find("return", pairs.SelectMany(p => SalvageCheck.Check(p, salvage.Channels.FirstOrDefault(c => c.Channel == p.SourceChannel)?.Salvage)));
        CheckOwnLog("return", lost, pairs.ToDictionary(p => p.SourceChannel, p => p.Source, StringComparer.Ordinal));
        var salvaged = salvage.Channels.Sum(c => c.Salvage?.Count ?? 0);
        _say(string.Create(CultureInfo.InvariantCulture, $"{former.ClusterId} is back, knows that it was superseded, and lists {salvaged} records that only it has"));
        Find("return", (await clusters.LocksAsync(former, _cancellation)).Select(l => $"{former.ClusterId}: {l.Owner} holds the lock {l.Domain}/{l.Key}"));
        return salvaged;
    }

    /// <summary>4. The former primary becomes secondary of the promoted cluster, under load, and has all of it in the end.</summary>
    private async Task AttachAsync(TwoClusters clusters, LocalCluster former, LocalCluster promoted, ClusterLoad load)
    {
        await load.WaitForAsync(_plan.MessagesFirst, TwoClusters.Patience, _cancellation);
        await clusters.ReplicateAsync(promoted, former, _cancellation);
        await load.FinishAsync(TwoClusters.Patience);
        var pairs = await TwoClusters.CaughtUpAsync(promoted, former, _cancellation);
        Find("attached again", pairs.SelectMany(DeliveryCheck.Complete));
        CheckOwnLog("attached again", load.Recorder, pairs.ToDictionary(p => p.SourceChannel, p => p.Source, StringComparer.Ordinal));
        Find("attached again", BroadcastCheck.Check(pairs.ToDictionary(p => p.SourceChannel, p => p.Source, StringComparer.Ordinal), load.Recorder.Broadcasts));
        foreach (var (cluster, role) in new[] { (promoted, ClusterRole.Primary), (former, ClusterRole.Secondary) })
        {
            var meta = await cluster.Client.ReplicateConfigurationAsync(_cancellation);
            if (meta.Role != role || meta.Superseded is not null || meta.ForceUpdated)
            {
                _findings.Add($"attached again: {cluster.ClusterId} is {meta.Role}, superseded by {meta.Superseded?.By ?? "nobody"}, forced {meta.ForceUpdated}");
            }
        }

        _say($"{former.ClusterId} is secondary of {promoted.ClusterId} and has caught up");
    }

    private async Task KillNodesAsync(LocalCluster primary, LocalCluster secondary)
    {
        foreach (var (cluster, node) in new[] { (primary, _plan.NodeOfPrimary), (secondary, _plan.NodeOfSecondary) })
        {
            if (node is { } index)
            {
                await cluster.KillNodeAsync(index);
                _say($"{cluster.NodeId(index)} is dead");
            }
        }
    }

    private async Task StartLostNodesAsync(LocalCluster cluster)
    {
        foreach (var index in new[] { _plan.NodeOfSecondary, _plan.NodeDuringPromotion }.OfType<int>().Distinct())
        {
            await cluster.StartNodeAsync(index, _cancellation);
        }

        await cluster.Client.WaitForNodesAsync(RoundPlan.Nodes, TwoClusters.Patience, _cancellation);
    }

    private async Task CheckPromotedAsync(TwoClusters clusters, LocalCluster cluster)
    {
        var meta = await cluster.Client.ReplicateConfigurationAsync(_cancellation);
        if (meta.Role != ClusterRole.Standalone || !meta.ForceUpdated)
        {
            _findings.Add($"promotion: {cluster.ClusterId} is {meta.Role}, forced {meta.ForceUpdated}");
        }

        await cluster.Client.WaitUntilServingAsync(cluster.Channels, TwoClusters.Patience, _cancellation);
        foreach (var channel in cluster.Channels)
        {
            var open = (await cluster.Client.StatusAsync(channel, _cancellation)).OpenTransactions;
            Find("promotion", open.Select(t => $"{channel}: transaction {t} is open"));
        }

        foreach (var state in new[] { Core.Broadcasts.BroadcastState.Pending, Core.Broadcasts.BroadcastState.Replicated })
        {
            Find("promotion", (await cluster.Client.BroadcastsAsync(state, _cancellation)).Select(b => $"broadcast {b.BroadcastId} is {b.State} and waits for {string.Join(", ", b.PendingVChannels)}"));
        }

        Find("promotion", BroadcastCheck.Check(await TwoClusters.VisibleAsync(cluster, _cancellation), []));
        Find("promotion", (await clusters.LocksAsync(cluster, _cancellation)).Select(l => $"{cluster.ClusterId}: {l.Owner} holds the lock {l.Domain}/{l.Key}"));
    }

    // A primary that lives on refuses its clients once it has learnt that it was superseded, and they then end by themselves.
    private async Task EndLivingLoadAsync(ClusterLoad load)
    {
        try
        {
            await load.Refused.WaitAsync(TwoClusters.Patience, _cancellation);
        }
        catch (TimeoutException)
        {
            _findings.Add("return: the former primary, which lives, still takes writes");
        }

        await load.AbortAsync();
    }

    private async Task RefusedWriteAsync(LocalCluster former)
    {
        // The control plane knows first; its nodes hear of it with their next heartbeat.
        foreach (var channel in former.Channels)
        {
            await ClusterClient.UntilAsync(
                $"{channel} refuses a write",
                async () => (await former.Client.AppendAsync(channel, new([new MessageBody(Encoding.UTF8.GetBytes("too late"))]), _cancellation)).Problem is { Code: nameof(ApiErrorCode.ReplicateViolation) },
                TwoClusters.Patience,
                _cancellation);
        }
    }

    /// <summary>The salvage list once it has been looked through to the end, and both logs at that time.</summary>
    private async Task<(IReadOnlyList<ReplicatedChannel> Pairs, SalvageView Salvage)> SalvageAsync(LocalCluster former, LocalCluster promoted)
    {
        var tasks = await former.Client.CdcTasksAsync(_cancellation);
        var pairs = await TwoClusters.PairsAsync(former, promoted, tasks, _cancellation);
        if (pairs.Count != former.Channels.Count)
        {
            _findings.Add($"return: {pairs.Count} CDC tasks, {former.Channels.Count} channels");
        }

        SalvageView? salvage = null;
        try
        {
            await ClusterClient.UntilAsync(
                "the salvage list is whole",
                async () =>
                {
                    salvage = await former.Client.SalvageAsync(_cancellation);
                    return pairs.All(p => SalvageCheck.Check(p, salvage.Channels.FirstOrDefault(c => c.Channel == p.SourceChannel)?.Salvage).Count == 0);
                },
                TwoClusters.Patience,
                _cancellation);
        }
        catch (TimeoutException)
        {
            // What is wrong with it is found below, once more.
        }

        return (pairs, salvage ?? throw new InvalidOperationException($"Cluster {former.ClusterId} has no salvage list."));
    }

    private void CheckOwnLog(string when, Recorder recorder, Dictionary<string, IReadOnlyList<ReadMessage>> visible)
    {
        foreach (var (channel, records) in visible)
        {
            Find(when, AcknowledgedCheck.Check(recorder, channel, records));
        }
    }

    private void Find(string when, IEnumerable<string> findings) => _findings.AddRange(findings.Select(f => $"{when}: {f}"));
}
