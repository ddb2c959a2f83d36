using System.Globalization;
using System.Net.Http.Headers;
using Baton.Core.Api;
using Baton.Node.Answers;
using Baton.Node.Broadcasts;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Messages;
using Baton.Node.Metadata;
using Baton.Node.Replication;
using Baton.Node.Settings;
using Baton.Node.Status;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Baton.Node.Rehearsal;

/// <summary>
/// Does once, before the node joins, what it will have to do in a hurry: opens a log of its own that nobody else knows of, writes to it, takes it over at the next term, reads it, and deletes it; and answers requests. The first time a
/// process does any of this, the runtime compiles it, which takes longer than a failover may; a node that has only just started is as likely to be the next leader as any.
/// <para>The log is named by a sign that no channel's name can have, and by the node: what a node that died in the middle left is deleted by its next start. Nothing else is changed, and a rehearsal that fails only leaves the node cold.</para>
/// </summary>
internal sealed partial class OpeningRehearsal(
    WalStore store,
    ControlPlaneClient controlPlane,
    AckTurns ackTurns,
    LeaderHints hints,
    HeardStanding heard,
    SnapshotTurns snapshotTurns,
    RecentBytes recentBytes,
    IOptions<NodeSettings> node,
    IOptions<ClusterSettings> cluster,
    TimeProvider time,
    ILogger<OpeningRehearsal> log)
{
    /// <summary>How long it may take: storage that is away must not keep the node from joining.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private const int Terms = 3;
    private const int Rounds = 12;
    private const int Writers = 16;

    // Within each term, so that the next one begins with a snapshot and has records behind it.
    private const int SnapshotEveryRecords = Rounds * Writers / 2;

    /// <summary>Rehearses, unless <c>Node:RehearseOpening</c> says no. Fails never.</summary>
    /// <param name="own">Where this node listens.</param>
    /// <param name="ct">The node stops.</param>
    public async Task RunAsync(Uri own, CancellationToken ct)
    {
        if (!node.Value.RehearseOpening)
        {
            return;
        }

        var started = time.GetTimestamp();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        try
        {
            await store.PrepareAsync(limit.Token);
            var rehearsing = OpenAgainAndAgainAsync(limit.Token);
            await AnswerAsync(own, limit.Token);
            await Task.Run(CatalogueRehearsal.Run, limit.Token);
            await rehearsing.WaitAsync(limit.Token);
            LogRehearsed(log, (long)time.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // What is wrong will be met again where it matters; this costs the first opening its time and nothing else.
            LogFailed(log, e.Message);
        }
    }

    // Each term reads what the one before has left: a snapshot, and records of every kind that clients write, in many batches.
    private async Task OpenAgainAndAgainAsync(CancellationToken ct)
    {
        // With numbers and a log of its own: operators look for channels there.
        var metrics = new NodeMetrics(time);
        var own = Options.Create(new NodeSettings { Id = node.Value.Id, SnapshotEveryRecords = SnapshotEveryRecords });
        var opener = new ChannelOpener(store, controlPlane, ackTurns, hints, heard, metrics, snapshotTurns, recentBytes, new MetadataCopy(time), own, cluster, time, NullLogger<LedChannel>.Instance);
        var name = WalStore.RehearsalName(node.Value.Id);
        await store.DeleteRehearsalAsync(name, ct);
        for (var term = 1; term <= Terms; term++)
        {
            await using var led = await opener.OpenAsync(name, term);
            await WriteAsync(led, ct);
            await led.ReadAsync(1, RequestLimits.Messages, TimeSpan.Zero, Isolation.Committed, showTokens: false, ct);
        }

        await store.DeleteRehearsalAsync(name, ct);
    }

    private static async Task WriteAsync(LedChannel led, CancellationToken ct)
    {
        for (var round = 0; round < Rounds; round++)
        {
            ct.ThrowIfCancellationRequested();
            var begun = await led.BeginAsync(new BeginTransactionRequest());
            await led.AppendToTransactionAsync(begun.TxnId, Write(round));
            await (round % 2 == 0 ? led.CommitAsync(begun.TxnId) : led.RollbackAsync(begun.TxnId));
            await Task.WhenAll(Enumerable.Range(0, Writers).Select(w => led.AppendAsync(Write(w))));
        }

        AppendRequest Write(int producer) => new([new MessageBody("rehearsal"u8.ToArray())], new ProducerStamp(string.Create(CultureInfo.InvariantCulture, $"rehearsal-{producer}"), led.LastDurableLsn));
    }

    // An append to a channel that nobody leads: it goes all the way that an append goes but for the log, and is refused.
    private async Task AnswerAsync(Uri own, CancellationToken ct)
    {
        using var http = new HttpClient { DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", cluster.Value.ClientSecret) } };
        for (var request = 0; request < Rounds; request++)
        {
            var body = new AppendRequest([new MessageBody("rehearsal"u8.ToArray())]);
            using var answer = await http.PostAsJsonAsync(new Uri(own, "channels/rehearsal/messages"), body, BatonJson.Options, ct);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Rehearsed an opening in {ElapsedMs} ms")]
    private static partial void LogRehearsed(ILogger log, long elapsedMs);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The rehearsal of an opening came to nothing, so the first one will take longer: {Reason}")]
    private static partial void LogFailed(ILogger log, string reason);
}
