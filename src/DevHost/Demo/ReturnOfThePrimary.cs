using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.DevHost.Chaos;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Demo;

/// <summary>The last chapters: the old primary is started again, learns that it was superseded, lists what only it has, and becomes the secondary of the new one.</summary>
internal sealed class ReturnOfThePrimary(Narrator narrator, LocalCluster a, LocalCluster b, int nodes, CancellationToken cancellationToken)
{
    private const string Written = "written after the promotion";

    /// <summary>Tells it.</summary>
    public async Task TellAsync()
    {
        await ComeBackAsync();
        await SalvageAsync();
        await AttachAsync();
    }

    private async Task ComeBackAsync()
    {
        narrator.Chapter("a is back, and still believes that it is the primary");
        await TwoClusters.StartAgainAsync(a, nodes, cancellationToken);
        narrator.Say("control plane and nodes of a run again; its CDC goes on where it was, and every channel of b refuses it");
        await ClusterClient.UntilAsync(
            "a knows that it was superseded", async () => (await a.Client.ReplicateConfigurationAsync(cancellationToken)).Superseded is not null, TwoClusters.Patience, cancellationToken);
        var superseded = (await a.Client.ReplicateConfigurationAsync(cancellationToken)).Superseded;
        narrator.Observe("a learnt that it was superseded by", "b", superseded?.By);

        // Its nodes hear of it with their next heartbeat. A transaction that is only begun leaves nothing that anybody would have to salvage.
        await ClusterClient.UntilAsync(
            "a refuses writes",
            async () => (await a.Client.LeaderAsync<BeginTransactionResponse>(
                HttpMethod.Post, a.Channels[0], "transactions", ClusterClient.Json(new BeginTransactionRequest()), false, cancellationToken)).Status == 409,
            TwoClusters.Patience,
            cancellationToken);
        var refused = await a.Client.AppendAsync(a.Channels[0], new([new MessageBody(Encoding.UTF8.GetBytes("too late"))]), cancellationToken);
        narrator.Observe("A write to a", refused.Problem?.Code == nameof(ApiErrorCode.ReplicateViolation), $"{refused.Status} \"{refused.Problem?.Detail}\"");
    }

    private async Task SalvageAsync()
    {
        SalvageView? salvage = null;
        await ClusterClient.UntilAsync(
            "a's channels have been looked through",
            async () => (salvage = await a.Client.SalvageAsync(cancellationToken)).Channels.Count == a.Channels.Count
                && salvage.Channels.All(c => c.Salvage is not null)
                && Count(salvage, 0) >= 2,
            TwoClusters.Patience,
            cancellationToken);
        foreach (var channel in salvage!.Channels)
        {
            var ranges = string.Join(", ", channel.Salvage!.Ranges.Select(r => string.Create(CultureInfo.InvariantCulture, $"LSN {r.FirstLsn} to {r.LastLsn}")));
            narrator.Say($"GET /api/salvage: {channel.Channel}, {channel.Salvage.Count} records{(ranges.Length > 0 ? $": {ranges}" : "")}; b has taken it over up to LSN {channel.TakenLsn}");
        }

        narrator.Observe($"{a.Channels[0]}: records that only a has, the transaction's two messages", 2L, Count(salvage, 0));
        narrator.Observe($"{a.Channels[1]}: records that only a has; b completed the broadcast itself", 0L, Count(salvage, 1));
    }

    private async Task AttachAsync()
    {
        narrator.Chapter("a is attached again, as the secondary of b");
        var configuration = new ReplicateConfiguration([b.Entry, a.Entry], new([new("b", "a")]));
        foreach (var cluster in new[] { a, b })
        {
            var answer = await TwoClusters.AppliedAsync(cluster, new(configuration, WaitMs: 60_000), cancellationToken);
            narrator.Say($"PUT /api/replicate-configuration to {cluster.ClusterId}: {answer.Outcome}, version {answer.Meta.Version}");
        }

        foreach (var channel in a.Channels)
        {
            await ClusterClient.UntilAsync($"{channel} has caught up", async () => await CaughtUpAsync(channel) > 0, TwoClusters.Patience, cancellationToken);
            narrator.Observe($"{channel}: messages of b that it has caught up with", 1, await CaughtUpAsync(channel));
        }

        var (roleOfA, roleOfB) = (await a.Client.ReplicateConfigurationAsync(cancellationToken), await b.Client.ReplicateConfigurationAsync(cancellationToken));
        narrator.Observe("Role of a", ClusterRole.Secondary, roleOfA.Role);
        narrator.Observe("Role of b", ClusterRole.Primary, roleOfB.Role);
        narrator.Observe("b's configuration is an emergency's", false, roleOfB.ForceUpdated);
    }

    private async Task<int> CaughtUpAsync(string channel) =>
        (await a.Client.ReadAllAsync(channel, Isolation.Committed, cancellationToken))
            .Count(m => m.Type == WalRecordType.Message && m.Source?.ClusterId == "b" && Encoding.UTF8.GetString(m.Payload) == Written);

    private long Count(SalvageView salvage, int channel) => salvage.Channels.FirstOrDefault(c => c.Channel == a.Channels[channel])?.Salvage?.Count ?? 0;
}
