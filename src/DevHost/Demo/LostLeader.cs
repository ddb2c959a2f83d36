using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Operations;
using Baton.DevHost.Chaos;
using Baton.DevHost.Chaos.Clients;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Demo;

/// <summary>The first chapters: a leader is killed under clients that repeat nothing, and its channel is given back to it by a planned move. The clients notice a pause and no error.</summary>
internal sealed class LostLeader(Narrator narrator, LocalCluster a, int nodes, CancellationToken cancellationToken)
{
    private string Channel => a.Channels[0];

    /// <summary>Tells it.</summary>
    public async Task TellAsync()
    {
        narrator.Chapter("Clients write to a through its gateway, and the leader that they write to dies");
        await using var load = ClientLoad.Start(a, new ClientLoadOptions { Name = "demo", LongestPauseMs = 20 }, cancellationToken);
        await load.MoreAsync(20, TwoClusters.Patience, cancellationToken);
        var before = await ChannelAsync();
        narrator.Say(string.Create(CultureInfo.InvariantCulture, $"gateway {a.Gateway}: writers, transactions and readers on each channel, one request at a time each; none repeats a request"));
        narrator.Say(string.Create(CultureInfo.InvariantCulture, $"{Channel} is led by {before.Leader} at term {before.Term}"));
        await KillAsync(load, before);
        await MoveBackAsync(load, before);
        await load.FinishAsync(TwoClusters.Patience);
        var findings = await load.FindingsAsync(cancellationToken);
        narrator.Observe("Errors that clients saw", 0, load.Recorder.Errors.Count);
        narrator.Observe($"Of {load.Recorder.Messages.Count} acknowledged writes and {load.Recorder.Transactions.Count} transactions lost, written twice or out of order", 0, findings.Count - load.Recorder.Errors.Count);
        foreach (var finding in findings.Take(5))
        {
            narrator.Say(finding);
        }
    }

    private async Task KillAsync(ClientLoad load, ChannelView before)
    {
        var killed = DateTimeOffset.UtcNow;
        await a.KillNodeAsync(a.NodeIndex(before.Leader!));
        narrator.Say($"SIGKILL to {before.Leader}");
        var next = await load.Acknowledgements.FirstAboveAsync(Channel, before.Term).WaitAsync(TwoClusters.Patience, cancellationToken);
        narrator.Say(string.Create(CultureInfo.InvariantCulture, $"the next write on {Channel} was acknowledged {(next.At - killed).TotalMilliseconds:0} ms after the SIGKILL, at term {next.Term}"));
        await load.MoreAsync(5, TwoClusters.Patience, cancellationToken);
        narrator.Say(string.Create(CultureInfo.InvariantCulture, $"the longest that any client waited for an answer: {load.Acknowledgements.LongestGap(killed).Gap.TotalMilliseconds:0} ms"));
        var after = await ChannelAsync();
        narrator.Observe($"{Channel} is led by another node, at the next term", $"term {before.Term + 1}", after.Leader != before.Leader ? $"term {after.Term}" : $"still {after.Leader}");
        TimelineView? entry = null;
        await ClusterClient.UntilAsync(
            "the failover is on the timeline",
            async () => (entry = (await a.Client.TimelineAsync(50, cancellationToken)).FirstOrDefault(e => e.Summary.StartsWith($"Node {before.Leader} is gone", StringComparison.Ordinal))) is not null,
            TwoClusters.Patience,
            cancellationToken);
        narrator.Say($"GET /api/timeline: {entry!.Summary}");
        narrator.Say($"   {string.Join(", ", entry.Steps?.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Name} {s.ElapsedMs:0} ms")) ?? [])}");
    }

    private async Task MoveBackAsync(ClientLoad load, ChannelView before)
    {
        narrator.Chapter("The node is back, and is given its channel by a planned move, while clients write on");
        await a.StartNodeAsync(a.NodeIndex(before.Leader!), cancellationToken);
        await a.Client.WaitForNodesAsync(nodes, TwoClusters.Patience, cancellationToken);
        var asked = DateTimeOffset.UtcNow;
        var accepted = (await a.Client.MoveAsync(Channel, before.Leader!, cancellationToken)).Value;
        var operation = await a.Client.OperationEndedAsync(accepted.OperationId, TwoClusters.Patience, cancellationToken);
        narrator.Observe($"POST /api/channels/{Channel}/move to {before.Leader}", OperationStatus.Succeeded, operation.Status);
        await load.MoreAsync(5, TwoClusters.Patience, cancellationToken);
        narrator.Observe($"{Channel} is led by", before.Leader, (await ChannelAsync()).Leader);
        narrator.Say(string.Create(CultureInfo.InvariantCulture, $"the longest that any client waited for an answer: {load.Acknowledgements.LongestGap(asked).Gap.TotalMilliseconds:0} ms"));
    }

    private async Task<ChannelView> ChannelAsync() => (await a.Client.TopologyAsync(cancellationToken)).Channels.Single(c => c.Name == Channel);
}
