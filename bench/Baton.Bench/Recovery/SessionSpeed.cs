using System.Diagnostics;
using System.Globalization;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Baton.Core.Api;
using Baton.Core.Recovery;
using Baton.DevHost.Clusters;
using Baton.Storage;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Bench.Recovery;

/// <summary>
/// An empty replica, brought in sync by a session, beside a raw ranged download of the same blobs into a file: from <c>catchup_started</c> to <c>completed</c>. A replica would fetch by itself until its
/// session holds it. So the copy is dropped by a session of the benchmark's own, which holds it until the control plane's takes its place.
/// </summary>
internal static class SessionSpeed
{
    private const int RecordBytes = 1024;
    private const int RecordsPerRequest = 1_000;
    private const int RequestsAtOnce = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    public static async Task MeasureAsync(LocalMachine machine, string folder, int mib, int rounds, Budgets budgets, Action<string> say, CancellationToken cancellationToken)
    {
        var cluster = await machine.StartClusterAsync("a", o => o with { Gateway = false, Channels = 1, ReplicationFactor = 2 }, cancellationToken);
        var (client, channel) = (cluster.Client, cluster.Channels[0]);
        var topology = await client.TopologyAsync(cancellationToken);
        var replica = topology.Nodes.Single(n => n.NodeId != topology.PChannels[0].Leader);
        await FillAsync(client, channel, mib, cancellationToken);
        await ClusterClient.UntilAsync("the replica is ready", () => SessionLog.AreReadyAsync(client, _ => true, 1, cancellationToken), Patience, cancellationToken);
        say($"{mib} MiB of records of {RecordBytes} bytes in {channel}");

        var storage = BatonStorage.Open(new StorageOptions { ConnectionString = cluster.StorageConnectionString });
        var store = new WalStore(storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        var (ratios, transfers, raws) = (new Samples(), new Samples(), new Samples());

        // The first round warms the processes up and does not count.
        for (var round = 0; round <= rounds; round++)
        {
            var (transfer, share) = await RecoverAsync(cluster, replica, cancellationToken);
            var clock = Stopwatch.StartNew();
            var bytes = await DownloadAsync(storage.Blobs.GetBlobContainerClient("wal"), (await store.ReadManifestAsync(channel, cancellationToken))!, share, Path.Combine(folder, "raw"), cancellationToken);
            var raw = clock.Elapsed;
            say(string.Create(
                CultureInfo.InvariantCulture,
                $"{(round == 0 ? "warming up: " : "")}{bytes / 1e6:0} MB: session {transfer.TotalMilliseconds:0} ms ({bytes / 1e6 / transfer.TotalSeconds:0} MB/s), raw {raw.TotalMilliseconds:0} ms ({bytes / 1e6 / raw.TotalSeconds:0} MB/s)"));
            if (round > 0)
            {
                transfers.Add(transfer.TotalMilliseconds);
                raws.Add(raw.TotalMilliseconds);
                ratios.Add(raw / transfer);
            }
        }

        budgets.Add("catch-up by a session: catchup_started → completed", transfers);
        budgets.Add("  raw ranged download of as many bytes into a file, with fsync", raws);
        budgets.AddRatio("  speed of the session to the raw one (median, least)", ratios, 0.7);
    }

    private static async Task FillAsync(ClusterClient client, string channel, int mib, CancellationToken cancellationToken)
    {
        var payload = new byte[RecordBytes];
        new Random(1).NextBytes(payload);
        await Parallel.ForEachAsync(
            Enumerable.Repeat(new AppendRequest([.. Enumerable.Repeat(new MessageBody(payload), RecordsPerRequest)]), Math.Max(1, mib * 1024 / RecordsPerRequest)),
            new ParallelOptions { MaxDegreeOfParallelism = RequestsAtOnce, CancellationToken = cancellationToken },
            async (request, ct) => _ = (await client.AppendAsync(channel, request, ct)).Value);
    }

    /// <summary>Takes the replica its copy, and has it brought back.</summary>
    /// <returns>How long the session's transfer took, and which share of the channel it had to fetch.</returns>
    private static async Task<(TimeSpan Transfer, double Share)> RecoverAsync(LocalCluster cluster, NodeView replica, CancellationToken cancellationToken)
    {
        var (client, channel) = (cluster.Client, cluster.Channels[0]);
        var since = DateTimeOffset.UtcNow;
        await ClusterClient.UntilAsync("the copy is dropped", () => DropAsync(cluster, channel, replica, cancellationToken), Patience, cancellationToken);
        await ClusterClient.UntilAsync("an intent is taken", () => IntendAsync(cluster, channel, replica.NodeId, replica.NodeId, cancellationToken), Patience, cancellationToken);
        IReadOnlyList<LoggedEvent>? session = null;
        await ClusterClient.UntilAsync(
            "the replica is in sync",
            async () => (session = (await SessionLog.SessionsAsync(client, channel, since, cancellationToken)).FirstOrDefault(SessionLog.IsComplete)) is not null,
            Patience,
            cancellationToken);
        await ClusterClient.UntilAsync("it is ready", () => SessionLog.AreReadyAsync(client, _ => true, 1, cancellationToken), Patience, cancellationToken);

        // target=100 start=70
        var began = session!.Single(e => e.Event == RecoveryEvents.CatchupStarted);
        var numbers = began.Detail.Split(' ').Select(n => n.Split('=')).ToDictionary(n => n[0], n => double.Parse(n[1], CultureInfo.InvariantCulture), StringComparer.Ordinal);
        return (SessionLog.End(session!).At - began.At, (numbers["target"] - numbers["start"]) / numbers["target"]);
    }

    private static async Task<bool> DropAsync(LocalCluster cluster, string channel, NodeView replica, CancellationToken cancellationToken)
    {
        // An intent for a replica that there is not uses up a session's id: above all that were, below all that will be.
        if (!await IntendAsync(cluster, channel, replica.NodeId, "nobody", cancellationToken))
        {
            return false;
        }

        var id = 1 + (await SessionLog.SessionsAsync(cluster.Client, channel, DateTimeOffset.MinValue, cancellationToken)).Max(s => s[0].SessionId);
        return await StepAsync("connect", new ReplicaConnectRequest(id, await TermAsync(cluster, channel, cancellationToken), null))
            && await StepAsync("truncate", new ReplicaTruncateRequest(id, 0));

        async Task<bool> StepAsync<T>(string step, T body) =>
            (await cluster.Client.NodeAsync<object>(replica.Endpoint, HttpMethod.Post, $"replicas/{channel}/{step}", ClusterClient.Json(body), asControlPlane: true, cancellationToken)).Status == 200;
    }

    private static async Task<bool> IntendAsync(LocalCluster cluster, string channel, string replica, string target, CancellationToken cancellationToken)
    {
        var body = new
        {
            channel,
            epoch = await TermAsync(cluster, channel, cancellationToken),
            replicas = new[] { new { replicaId = replica } },
            recoveryTargets = new Dictionary<string, SessionKind>(StringComparer.Ordinal) { [target] = SessionKind.Catchup },
        };
        return (await cluster.Client.ControlPlaneAsync<object>(HttpMethod.Post, "api/recovery/assignments", ClusterClient.Json(body), cluster.Secrets.FunctionKey, cancellationToken)).Status == 200;
    }

    private static async Task<long> TermAsync(LocalCluster cluster, string channel, CancellationToken cancellationToken) =>
        (await cluster.Client.TopologyAsync(cancellationToken)).Channels.Single(c => c.Name == channel).Term;

    // The last share of the channel's bytes: its records are all of one size.
    private static async Task<long> DownloadAsync(BlobContainerClient container, WalManifest manifest, double share, string path, CancellationToken cancellationToken)
    {
        var blobs = new List<(BlobClient Blob, long Length)>();
        foreach (var segment in manifest.Segments)
        {
            var blob = container.GetBlobClient(segment.BlobName(manifest.Channel));
            blobs.Add((blob, segment.LengthBytes ?? (await blob.GetPropertiesAsync(cancellationToken: cancellationToken)).Value.ContentLength));
        }

        var skipped = (long)(blobs.Sum(b => b.Length) * (1 - share));
        var range = new byte[new WalOptions().ReadRangeBytes];
        var written = 0L;
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        foreach (var (blob, length) in blobs)
        {
            var offset = Math.Min(skipped, length);
            skipped -= offset;
            while (offset < length)
            {
                using var answer = (await blob.DownloadStreamingAsync(new BlobDownloadOptions { Range = new HttpRange(offset, Math.Min(range.Length, length - offset)) }, cancellationToken)).Value;
                var got = await answer.Content.ReadAtLeastAsync(range, (int)Math.Min(range.Length, length - offset), throwOnEndOfStream: false, cancellationToken);
                RandomAccess.Write(file, range.AsSpan(0, got), written);
                (offset, written) = (offset + got, written + got);
            }
        }

        RandomAccess.FlushToDisk(file);
        return written;
    }
}
