using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.DevHost.Chaos.Load;

namespace Baton.DevHost.Chaos.Checks;

/// <summary>Whether every broadcast of which a cluster has a copy anywhere, or which it has taken on, is there once on each of its vchannels.</summary>
public static class BroadcastCheck
{
    /// <summary>Looks through all channels of a cluster.</summary>
    /// <param name="visible">Its channels, each with its records in order.</param>
    /// <param name="takenOn">Broadcasts that its control plane has taken on; they must be there too.</param>
    /// <returns>What is wrong; nothing where all is well.</returns>
    public static IReadOnlyList<string> Check(IReadOnlyDictionary<string, IReadOnlyList<ReadMessage>> visible, IEnumerable<RecordedBroadcast> takenOn)
    {
        ArgumentNullException.ThrowIfNull(visible);
        ArgumentNullException.ThrowIfNull(takenOn);
        var copies = visible.SelectMany(c => c.Value.Where(m => m.Type == WalRecordType.Broadcast).Select(m => (Id: m.BroadcastId!.Value, VChannel: m.VChannel ?? c.Key, Message: m))).ToLookup(c => c.Id);
        var expected = takenOn.ToDictionary(b => b.BroadcastId, b => b.VChannels);
        foreach (var broadcast in copies)
        {
            var message = JsonSerializer.Deserialize<BroadcastMessage>(broadcast.First().Message.Payload, BatonJson.Options)!;
            expected.TryAdd(broadcast.Key, message.VChannels);
        }

        return
        [
            .. expected.SelectMany(e => e.Value.Select(v => (Id: e.Key, VChannel: v, Count: copies[e.Key].Count(c => c.VChannel == v))))
                .Where(c => c.Count != 1)
                .Select(c => $"{VChannels.ChannelOf(c.VChannel)}: broadcast {c.Id} is {c.Count} times on {c.VChannel}"),
        ];
    }
}
