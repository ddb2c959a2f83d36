using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Core.Wal;
using Baton.DevHost.Chaos.Load;
using Baton.DevHost.Clusters;
using Baton.Storage;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.DevHost.Chaos.Metadata;

/// <summary>Whether the log of the catalogue holds what its clients were told: every acknowledged command once and where it was acknowledged, of every other request all commands together or none.</summary>
public static class MetadataLogCheck
{
    /// <summary>All commands that are in the log, by LSN.</summary>
    public static async Task<IReadOnlyList<(long Lsn, MetadataCommand Command)>> ReadAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        var store = new WalStore(BatonStorage.Open(new StorageOptions { ConnectionString = cluster.StorageConnectionString }), new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        var commands = new List<(long, MetadataCommand)>();
        await foreach (var entry in store.ReadAsync(MetadataChannel.Name, 1, long.MaxValue, cancellationToken))
        {
            if (entry.Record.Type == WalRecordType.Message)
            {
                commands.Add((entry.Lsn, MetadataCodec.Decode(entry.Record.Payload.Span)));
            }
        }

        return commands;
    }

    /// <summary>Compares the log with what its clients know.</summary>
    /// <returns>What is wrong; nothing where all is well.</returns>
    public static IReadOnlyList<string> Check(IEnumerable<RecordedCommands> requests, IReadOnlyList<(long Lsn, MetadataCommand Command)> log)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(log);
        var places = log.Select(e => (e.Lsn, Mark: CommandMarks.Of(e.Command))).Where(e => e.Mark is not null).ToLookup(e => e.Mark!, e => e.Lsn, StringComparer.Ordinal);
        return [.. requests.SelectMany(r => Check(r, places))];
    }

    private static IEnumerable<string> Check(RecordedCommands request, ILookup<string, long> places)
    {
        var found = request.Commands.Select(c => (Mark: CommandMarks.Of(c) ?? throw new InvalidOperationException($"{c} has no mark"), At: places[CommandMarks.Of(c)!].ToList())).ToList();
        foreach (var (mark, at) in found.Where(f => f.At.Count > 1))
        {
            yield return $"'{mark}' is in the log {at.Count} times: at LSN {string.Join(", ", at)}";
        }

        if (request.Written == Written.Surely)
        {
            for (var i = 0; i < found.Count; i++)
            {
                if (!found[i].At.Contains(request.FirstLsn + i))
                {
                    yield return $"'{found[i].Mark}', acknowledged at LSN {request.FirstLsn + i}, is {(found[i].At.Count == 0 ? "not in the log" : $"at LSN {found[i].At[0]}")}";
                }
            }
        }
        else if (found.Any(f => f.At.Count > 0))
        {
            // Any of the request's places could be that of its first command, where some are there twice: that is said already.
            var first = found[0].At.FirstOrDefault();
            for (var i = 0; i < found.Count; i++)
            {
                if (!found[i].At.Contains(first + i))
                {
                    yield return $"'{found[i].Mark}' is not behind '{found[0].Mark}', with which it was sent: a part of the request is in the log";
                }
            }
        }
    }
}
