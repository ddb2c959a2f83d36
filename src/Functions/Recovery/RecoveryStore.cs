using System.Text.Json;
using Azure;
using Baton.Core.Api;
using Baton.Core.Recovery;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Recovery;

/// <summary>What is kept of one channel's recoveries.</summary>
/// <param name="State">Its replicas and their sessions.</param>
/// <param name="Written">How many events there have been.</param>
/// <param name="Unwritten">The events of the last change: in the log already, unless its writer died just then. The next change writes them again.</param>
internal sealed record RecoveryRow(RegistryState State, long Written, IReadOnlyList<RecoveryEntry> Unwritten)
{
    /// <summary>A channel of which nothing is known.</summary>
    public static RecoveryRow Unknown { get; } = new(new RegistryState(0, []), 0, []);
}

/// <summary>
/// Table <c>Recovery</c>: one row a channel, one conditional write a change; and one row for the last session id that was given out, so that ids rise over all channels.
/// <code>
/// who                  changes
/// RecoveryAssignments  replicas, epochs and endpoints; makes sessions, ends them
/// TakeRecovery         ends a session whose run was lost
/// CarryOutRecovery     how far a session is, and what came of it
/// </code>
/// </summary>
internal sealed class RecoveryStore(ControlPlaneTables tables, RecoveryLogStore log, TimeProvider time)
{
    private const string Channels = "channel";
    private const string Counter = "counter";
    private const string LastSessionId = "LastSessionId";

    /// <summary>A channel's replicas.</summary>
    public async Task<ChannelReplicas> ReadAsync(string channel, CancellationToken cancellationToken) =>
        (await ReadRowAsync(channel, cancellationToken)).Row.State.Channels is [var only] ? only : ChannelReplicas.Unknown(channel);

    /// <summary>The replicas of all channels of which anything is known, by channel.</summary>
    public async Task<IReadOnlyDictionary<string, ChannelReplicas>> ListAsync(CancellationToken cancellationToken)
    {
        var all = new Dictionary<string, ChannelReplicas>(StringComparer.Ordinal);
        await foreach (var row in tables.Recovery.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"PartitionKey eq {Channels}"), cancellationToken: cancellationToken))
        {
            foreach (var channel in row.GetRequired<RecoveryRow>().State.Channels)
            {
                all[channel.Channel] = channel;
            }
        }

        return all;
    }

    /// <summary>
    /// Keeps how far a run is, with what it has to write down. A session that has ended from outside, or was kept as ended before, takes nothing: after its end only that the log is free may be written
    /// down, and what was kept with the end the next change writes again.
    /// </summary>
    /// <returns>The replica's sender as it is kept now, and why the run was not; null where no such replica is known any more.</returns>
    public async Task<SenderStep?> SettleAsync(RecoveryRun run, IReadOnlyList<RecoveryEntry> entries, CancellationToken cancellationToken)
    {
        var settled = await ChangeAsync(run.Sender.Replica.Channel, 0, r => r.Settle(run), cancellationToken, s => s is { Refused: null } ? entries : []);
        if (settled is not { Refused: null })
        {
            await log.WriteAsync([.. entries.Where(e => e.Event == RecoveryEvents.PinsReleased)], cancellationToken);
        }

        return settled;
    }

    /// <summary>Makes a change until its write wins, and writes its events down. A change that changes nothing writes nothing.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="sessions">How many sessions the change may make.</param>
    /// <param name="change">The change: of a registry that knows this channel alone. May be made several times.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="with">By the answer, what is to be written down besides the registry's own events.</param>
    /// <returns>What the change that won has answered.</returns>
    public async Task<T> ChangeAsync<T>(
        string channel, int sessions, Func<ReplicaRegistry, T> change, CancellationToken cancellationToken, Func<T, IReadOnlyList<RecoveryEntry>>? with = null)
    {
        var before = sessions == 0 ? 0 : await TakeIdsAsync(sessions, cancellationToken);
        return await ConditionalWrite.RunAsync(
            $"the recovery of channel {channel}",
            async ct =>
            {
                var (row, etag) = await ReadRowAsync(channel, ct);
                await log.WriteAsync(row.Unwritten, ct);
                var events = new RecoveryLog();
                var registry = new ReplicaRegistry(events, row.State with { LastSessionId = Math.Max(row.State.LastSessionId, before) });
                var answer = change(registry);
                var own = RecoveryEntry.Of(events.Read().Select(e => e.Event), time.GetUtcNow(), row.Written);
                IReadOnlyList<RecoveryEntry> entries = [.. own, .. with?.Invoke(answer) ?? []];
                var next = new RecoveryRow(registry.State, row.Written + own.Count, entries);
                if (entries.Count > 0 || !IsSame(next.State.Channels, row.State.Channels))
                {
                    await WriteRowAsync(channel, next, etag, ct);
                    RecoveryMetrics.Count(row.State.Channels, next.State.Channels);
                    await log.WriteAsync(entries, ct);
                }

                return answer;
            },
            cancellationToken);
    }

    // The last id before the ones that were taken. Ids that a lost change took are gone: they rise, they need not be dense.
    private Task<long> TakeIdsAsync(int count, CancellationToken cancellationToken) => ConditionalWrite.RunAsync(
        "the last session id",
        async ct =>
        {
            var row = await tables.Recovery.GetEntityIfExistsAsync<TableEntity>(Counter, LastSessionId, cancellationToken: ct);
            var last = row.HasValue ? row.Value!.GetInt64(LastSessionId) ?? 0 : 0;
            var next = new TableEntity(Counter, LastSessionId) { [LastSessionId] = last + count };
            await (row.HasValue ? tables.Recovery.UpdateEntityAsync(next, row.Value!.ETag, TableUpdateMode.Replace, ct) : tables.Recovery.AddEntityAsync(next, ct));
            return last;
        },
        cancellationToken);

    private async Task<(RecoveryRow Row, ETag ETag)> ReadRowAsync(string channel, CancellationToken cancellationToken)
    {
        var row = await tables.Recovery.GetEntityIfExistsAsync<TableEntity>(Channels, channel, cancellationToken: cancellationToken);
        return row.HasValue ? (row.Value!.GetRequired<RecoveryRow>(), row.Value!.ETag) : (RecoveryRow.Unknown, default);
    }

    private Task<Response> WriteRowAsync(string channel, RecoveryRow next, ETag etag, CancellationToken cancellationToken)
    {
        var row = new TableEntity(Channels, channel);
        row.SetValue(next);
        return etag == default ? tables.Recovery.AddEntityAsync(row, cancellationToken) : tables.Recovery.UpdateEntityAsync(row, etag, TableUpdateMode.Replace, cancellationToken);
    }

    // Values with lists in them: what they are kept as says whether they are the same.
    private static bool IsSame(IReadOnlyList<ChannelReplicas> one, IReadOnlyList<ChannelReplicas> other) =>
        JsonSerializer.SerializeToUtf8Bytes(one, BatonJson.Options).AsSpan().SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(other, BatonJson.Options));
}
