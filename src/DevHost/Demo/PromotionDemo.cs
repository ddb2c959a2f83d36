using System.Diagnostics;
using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Operations;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.DevHost.Chaos;
using Baton.DevHost.Clusters;
using Baton.DevHost.Commands;

namespace Baton.DevHost.Demo;

/// <summary>
/// The story Baton exists for, with real processes: a leader lost under load, then a whole cluster: a primary and a secondary, a transaction whose commit never arrived and a broadcast that arrived on
/// half of its channels, the primary killed, the secondary promoted, the old primary back. Nothing is claimed that was not read back over HTTP.
/// </summary>
internal sealed class PromotionDemo
{
    private const string Half = "half-delivered";
    private const int Nodes = 2;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string[] ClusterIds = ["a", "b"];
    private static readonly Dictionary<string, string> StepMeanings = new(StringComparer.Ordinal)
    {
        ["FenceIn"] = "alone in the cluster, everything checked again",
        ["Append"] = "every channel gets the forced configuration and rolls its open transactions back",
        ["Persist"] = "configuration, forced flag and version are stored",
        ["Supplement"] = "half-delivered broadcasts go to the channels that lack them",
        ["Report"] = "what an operator must know is kept with the operation",
    };

    /// <summary>Longer than by default: a machine may be so busy with eleven processes that a leader's start takes its time, and that is no failure.</summary>
    private static readonly Dictionary<string, string> PatientGateway = new(StringComparer.Ordinal) { ["Gateway__HoldMs"] = "60000" };

    private readonly Narrator _narrator;
    private readonly LocalCluster _a;
    private readonly LocalCluster _b;
    private readonly int _messages;
    private readonly CancellationToken _cancellation;
    private readonly ReplicateCluster _entryA;
    private readonly ReplicateCluster _entryB;

    private PromotionDemo(Narrator narrator, LocalCluster a, LocalCluster b, int messages, CancellationToken cancellationToken)
    {
        _narrator = narrator;
        _a = a;
        _b = b;
        _messages = messages;
        _cancellation = cancellationToken;
        _entryA = a.Entry;
        _entryB = b.Entry;
    }

    /// <summary>Runs it.</summary>
    /// <param name="dataFolder">Where each run makes its folder.</param>
    /// <param name="messages">Messages written to each channel.</param>
    /// <param name="cancellationToken">Ctrl-C.</param>
    /// <returns>0 when every observation was as expected, else 1.</returns>
    public static async Task<int> RunAsync(string dataFolder, int messages, CancellationToken cancellationToken)
    {
        var narrator = new Narrator(Terminal.Console);
        var run = Path.Combine(dataFolder, string.Create(CultureInfo.InvariantCulture, $"run-{DateTimeOffset.UtcNow:yyyyMMdd-HHmmss}-{Environment.ProcessId}"));
        try
        {
            narrator.Chapter("Two clusters on this machine");
            await using var machine = await LocalMachine.StartAsync(run, ClusterIds, keepData: true, cancellationToken);
            narrator.Say($"Azurite runs with an account for each cluster; data and logs in {run}");
            var clusters = await Task.WhenAll(ClusterIds.Select(id => machine.StartClusterAsync(id, o => o with { Nodes = Nodes, Gateway = id == "a", ReplicationFactor = Nodes, GatewaySettings = PatientGateway }, cancellationToken)));
            foreach (var cluster in clusters)
            {
                narrator.Say($"cluster {cluster.ClusterId}: control plane {cluster.ControlPlane}, {Nodes} nodes{(cluster == clusters[0] ? ", a gateway" : "")}, channels {string.Join(" and ", cluster.Channels)}");
            }

            await new PromotionDemo(narrator, clusters[0], clusters[1], messages, cancellationToken).TellAsync();
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            narrator.Say("Stopped by Ctrl-C.");
            return 1;
        }
        catch (Exception e) when (e is ApiAnswerException or DataFolderInUseException or HttpRequestException or TimeoutException or InvalidOperationException or IOException)
        {
            narrator.Observe("The demonstration ran to its end", seen: false, e.Message);
        }

        narrator.Conclude();
        return narrator.AllSeen ? 0 : 1;
    }

    private async Task TellAsync()
    {
        await new LostLeader(_narrator, _a, Nodes, _cancellation).TellAsync();
        await ReplicateFromAToBAsync();
        await WriteToAAsync();
        await RefuseOnPrimaryAsync();
        var (broadcast, underWay) = await WriteMoreToAAsync();
        await KillAAsync();
        await DeliverUnderWayAsync(broadcast, underWay);
        await RefuseOnSecondaryAsync();
        await PromoteAsync();
        await ReadBackAsync(broadcast, underWay.TransactionId);
        await new ReturnOfThePrimary(_narrator, _a, _b, Nodes, _cancellation).TellAsync();
    }

    private async Task ReplicateFromAToBAsync()
    {
        _narrator.Chapter("Cluster a is made primary, b its secondary");
        var configuration = new ReplicateConfiguration([_entryA, _entryB], new([new("a", "b")]));
        foreach (var cluster in new[] { _b, _a })
        {
            var answer = await TwoClusters.AppliedAsync(cluster, new(configuration, WaitMs: 60_000), _cancellation);
            _narrator.Say($"PUT /api/replicate-configuration to {cluster.ClusterId}: {answer.Outcome}, version {answer.Meta.Version}");
        }

        _narrator.Observe("Role of a", ClusterRole.Primary, (await _a.Client.ReplicateConfigurationAsync(_cancellation)).Role);
        _narrator.Observe("Role of b", ClusterRole.Secondary, (await _b.Client.ReplicateConfigurationAsync(_cancellation)).Role);
    }

    private async Task WriteToAAsync()
    {
        _narrator.Chapter("Clients write to a, and change data capture brings it to b");
        foreach (var channel in _a.Channels)
        {
            var clock = Stopwatch.StartNew();
            foreach (var chunk in Enumerable.Range(1, _messages).Chunk(100))
            {
                _ = (await _a.Client.AppendAsync(channel, new([.. chunk.Select(i => Message($"{channel} message {i}"))]), _cancellation)).Value;
            }

            _narrator.Say($"{_messages} messages to {channel}, each durable when it was acknowledged, in {clock.ElapsedMilliseconds} ms");
        }

        for (var i = 0; i < _a.Channels.Count; i++)
        {
            await ClusterClient.UntilAsync(
                "b has the messages", async () => await ReplicatedAsync(_b.Channels[i]) == _messages, Patience, _cancellation);
            _narrator.Observe($"{_b.Channels[i]}: messages replicated from {_a.Channels[i]} and readable", _messages, await ReplicatedAsync(_b.Channels[i]));
        }

        var direct = await _b.Client.AppendAsync(_b.Channels[0], new([Message("written to the secondary")]), _cancellation);
        _narrator.Observe("A direct write to the secondary", "409 ReplicateViolation", $"{direct.Status} {direct.Problem?.Code}");
    }

    private async Task<(BroadcastView Broadcast, UnderWay UnderWay)> WriteMoreToAAsync()
    {
        _narrator.Chapter("b's nodes are down for a moment, so CDC waits, and clients write on to a");
        for (var i = 0; i < Nodes; i++)
        {
            await _b.KillNodeAsync(i);
        }

        var broadcast = await _a.Client.CreateBroadcastAsync(
            new("createCollection", [.. _a.Channels.Select(c => c + "_v1")], Encoding.UTF8.GetBytes(Half), [new(ResourceDomain.Collection, "orders")]), _cancellation);
        _narrator.Say($"broadcast {broadcast.BroadcastId} (createCollection) to {string.Join(" and ", _a.Channels.Select(c => c + "_v1"))}");
        await ClusterClient.UntilAsync(
            "the broadcast is on every channel of a",
            async () => (await _a.Client.BroadcastAsync(broadcast.BroadcastId, _cancellation)).Value.State == BroadcastState.Tombstone,
            Patience,
            _cancellation);

        var first = _a.Channels[0];
        var begun = (await _a.Client.LeaderAsync<BeginTransactionResponse>(HttpMethod.Post, first, "transactions", ClusterClient.Json(new BeginTransactionRequest(60_000)), false, _cancellation)).Value;
        var path = string.Create(CultureInfo.InvariantCulture, $"transactions/{begun.TxnId}");
        _ = (await _a.Client.LeaderAsync<AppendResponse>(HttpMethod.Post, first, path + "/messages", ClusterClient.Json(new AppendRequest([Message("transfer: debit"), Message("transfer: credit")])), false, _cancellation)).Value;
        _ = (await _a.Client.LeaderAsync<AppendResponse>(HttpMethod.Post, first, path + "/commit", null, false, _cancellation)).Value;
        _narrator.Say($"transaction {begun.TxnId} on {first}: begun, two messages, committed");
        return (broadcast, UnderWay.Of(await _a.Client.ReadAllAsync(first, Isolation.All, _cancellation), broadcast.BroadcastId));
    }

    private async Task DeliverUnderWayAsync(BroadcastView broadcast, UnderWay underWay)
    {
        _narrator.Chapter("b's nodes are back, and get what a's CDC had under way when a died");
        await Task.WhenAll(Enumerable.Range(0, Nodes).Select(i => _b.StartNodeAsync(i, _cancellation)));
        await _b.Client.WaitUntilServingAsync(_b.Channels, Patience, _cancellation);

        // Which bytes of a dying process arrive is chance: this demonstration sends them itself, taken from a's log, so that each run shows the same.
        var appended = await underWay.DeliverAsync(_b, _b.Channels[0], "a", _a.Channels[0], _cancellation);
        _narrator.Say($"{appended} records of {_a.Channels[0]}, sent by this demonstration in a's name: one of the broadcast's two copies, and the transaction without its commit");

        // The node reports a replicated broadcast to its control plane after the record is durable.
        await ClusterClient.UntilAsync("b knows of the broadcast", async () => (await _b.Client.BroadcastAsync(broadcast.BroadcastId, _cancellation)).Body is not null, Patience, _cancellation);
        var known = (await _b.Client.BroadcastAsync(broadcast.BroadcastId, _cancellation)).Value;
        _narrator.Observe("Broadcast on b waits for", $"{_b.Channels[1]}_v1", string.Join(", ", known.PendingVChannels));
        _narrator.Observe(
            "Open transactions on b", underWay.TransactionId.ToString(CultureInfo.InvariantCulture), string.Join(", ", (await _b.Client.StatusAsync(_b.Channels[0], _cancellation)).OpenTransactions));
    }

    private async Task<int> ReplicatedAsync(string channel) =>
        (await _b.Client.ReadAllAsync(channel, Isolation.Committed, _cancellation)).Count(m => m.Type == WalRecordType.Message && m.Source?.ClusterId == "a");

    private async Task RefuseOnPrimaryAsync()
    {
        _narrator.Chapter("A force update promotes a secondary in an emergency: the primary refuses it");
        await RefuseAsync(_a, RefusedForceUpdate.OnPrimary(_entryA));
    }

    private async Task KillAAsync()
    {
        _narrator.Chapter("Cluster a dies");
        var processes = _a.ProcessIds;
        await _a.KillEverythingAsync();
        _narrator.Say($"SIGKILL to everything of a: control plane, nodes and gateway (processes {string.Join(", ", processes)} and the function app)");
        bool gone;
        try
        {
            _ = await _a.Client.GetAsync<TopologyView>("api/topology", _cancellation);
            gone = false;
        }
        catch (HttpRequestException)
        {
            gone = true;
        }

        _narrator.Observe("Cluster a no longer answers", gone);
    }

    private async Task RefuseOnSecondaryAsync()
    {
        _narrator.Chapter("What b refuses: each check once");
        foreach (var refused in RefusedForceUpdate.OnSecondary(_entryB, _entryA))
        {
            await RefuseAsync(_b, refused);
        }

        await RefuseAsync(_b, new("the general validator", new([_entryB with { Uri = "not a uri" }]), null));
        _narrator.Observe("Role of b after all that", ClusterRole.Secondary, (await _b.Client.ReplicateConfigurationAsync(_cancellation)).Role);
    }

    private async Task RefuseAsync(LocalCluster cluster, RefusedForceUpdate refused)
    {
        var answer = await cluster.Client.UpdateReplicateConfigurationAsync(refused.Request, _cancellation);
        var asExpected = answer.Status == 400 && answer.Problem?.Code == nameof(ApiErrorCode.InvalidArgument) && (refused.Detail is null || answer.Problem.Detail == refused.Detail);
        _narrator.Observe($"Refused, {refused.Check}", asExpected, $"{answer.Status} \"{answer.Problem?.Detail ?? answer.Text}\"");
    }

    private async Task PromoteAsync()
    {
        _narrator.Chapter("b is promoted");
        var clock = Stopwatch.StartNew();
        var answer = await _b.Client.UpdateReplicateConfigurationAsync(new(new([_entryB with { Token = null }]), ForceUpdate: true, WaitMs: 60_000), _cancellation);
        _narrator.Observe($"PUT /api/replicate-configuration with forceUpdate, {clock.ElapsedMilliseconds} ms", UpdateOutcome.Applied, answer.Body?.Outcome);
        if (answer.Value.Promotion is not { } promotion)
        {
            _narrator.Observe("The answer carries the promotion's report", seen: false);
            return;
        }

        foreach (var step in promotion.Steps)
        {
            var what = StepMeanings.GetValueOrDefault(step.Name, string.Empty);
            var detail = step.Detail is null ? string.Empty : $" ({step.Detail})";
            _narrator.Say(string.Create(CultureInfo.InvariantCulture, $"   +{(step.At - promotion.Steps[0].At).TotalMilliseconds,5:0} ms  {step.Name,-10} {what}{detail}"));
        }

        _narrator.Observe("Channels promoted", _b.Channels.Count, promotion.Channels);
        _narrator.Observe("Transactions rolled back", 1, promotion.TransactionsRolledBack);
        _narrator.Observe("Broadcasts supplemented", 1, promotion.BroadcastsSupplemented);
        foreach (var last in promotion.LastReplicated)
        {
            _narrator.Say($"   {last.Channel}: last record from a at {last.At:HH:mm:ss.fff}");
        }

        _narrator.Say($"   what a acknowledged in its last {promotion.EstimatedLossWindowMs} ms may be missing; elapsed {promotion.ElapsedMs} ms");
        var again = await _b.Client.UpdateReplicateConfigurationAsync(new(new([_entryB with { Token = null }]), ForceUpdate: true), _cancellation);
        _narrator.Observe("The same request once more", UpdateOutcome.Unchanged, again.Body?.Outcome);
        var operation = answer.Value.OperationId is { } id ? (await _b.Client.OperationAsync(id, _cancellation)).Body : null;
        _narrator.Observe($"Operation {operation?.Id}", OperationStatus.Succeeded, operation?.Status);
    }

    private async Task ReadBackAsync(BroadcastView broadcast, long transaction)
    {
        _narrator.Chapter("What b holds now, read back over HTTP");
        var meta = await _b.Client.ReplicateConfigurationAsync(_cancellation);
        _narrator.Observe("Role of b", ClusterRole.Standalone, meta.Role);
        _narrator.Observe("Config meta says forced", true, meta.ForceUpdated);
        _narrator.Observe("Config meta holds only b", "b", string.Join(", ", meta.Configuration?.Clusters?.Select(c => c?.ClusterId) ?? []));
        _narrator.Say($"config meta: version {meta.Version}, forced at {meta.ForceUpdateTimestamp:HH:mm:ss.fff}");

        var task = (await _b.Client.BroadcastAsync(broadcast.BroadcastId, _cancellation)).Value;
        _narrator.Observe($"Broadcast {broadcast.BroadcastId}", $"{BroadcastState.Tombstone}, nothing pending", $"{task.State}, {(task.PendingVChannels.Count == 0 ? "nothing" : string.Join(", ", task.PendingVChannels))} pending");
        foreach (var channel in _b.Channels)
        {
            var seen = await _b.Client.ReadAllAsync(channel, Isolation.Committed, _cancellation);
            var status = await _b.Client.StatusAsync(channel, _cancellation);
            _narrator.Observe($"{channel}: messages replicated from a and readable", _messages, seen.Count(m => m.Type == WalRecordType.Message));
            _narrator.Observe($"{channel}: copies of the broadcast", 1, seen.Count(m => m.BroadcastId == broadcast.BroadcastId && m.Type == WalRecordType.Broadcast));
            _narrator.Observe($"{channel}: messages of transaction {transaction} visible", 0, seen.Count(m => m.TxnId == transaction));
            _narrator.Observe($"{channel}: open transactions", 0, status.OpenTransactions.Count);
        }

        foreach (var channel in _b.Channels)
        {
            var written = await _b.Client.AppendAsync(channel, new([Message("written after the promotion")]), _cancellation);
            _narrator.Observe($"{channel} accepts writes", 200, written.Status);
        }
    }

    private static MessageBody Message(string text) => new(Encoding.UTF8.GetBytes(text));
}
