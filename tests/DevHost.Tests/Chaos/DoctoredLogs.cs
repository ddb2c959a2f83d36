using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.DevHost.Chaos.Checks;
using Baton.DevHost.Chaos.Load;

namespace Baton.DevHost.Tests.Chaos;

/// <summary>A channel a-ch0 and its copy b-ch0 as they should be, and what its writers know: two messages, a transaction of two with one of the messages inside, and a broadcast to two channels. Tests damage it.</summary>
internal static class DoctoredLogs
{
    public const long BroadcastId = 900;
    public const long TxnId = 700;

    /// <summary>LSN 1 is the configuration that began the shipping.</summary>
    public static IReadOnlyList<ReadMessage> Source { get; } =
    [
        new(1, 10, WalRecordType.AlterReplicateConfig, null, null, Text("{}")),
        Message(2, "m:1"),
        Message(5, "m:2"),
        Body(4, "t:1", commit: 7),
        Body(6, "t:2", commit: 7),
        Broadcast(8, "a-ch0_v1", "a-ch0_v1", "a-ch1_v1"),
    ];

    public static IReadOnlyList<ReadMessage> Target { get; } =
        [new(1, 11, WalRecordType.AlterReplicateConfig, null, null, Text("{}")), .. Source.Skip(1).Select((m, i) => Copied(m, i + 2))];

    public static ReplicatedChannel Pair(IEnumerable<ReadMessage> target) => new("a", "a-ch0", Source, "b-ch0", [.. target], StartLsn: 1);

    public static Recorder Recorder()
    {
        var recorder = new Recorder();
        recorder.Add(new RecordedMessage("a-ch0", "m:1", Written.Surely, 2));
        recorder.Add(new RecordedMessage("a-ch0", "m:2", Written.Surely, 5));
        recorder.Add(new RecordedMessage("a-ch0", "m:3", Written.Perhaps));
        recorder.Add(new RecordedTransaction("a-ch0", TxnId, ["t:1", "t:2"], Written.Surely));
        recorder.Add(new RecordedTransaction("a-ch0", TxnId + 1, ["t:3"], Written.Never));
        return recorder;
    }

    public static ReadMessage Message(long lsn, string text) => new(lsn, lsn * 10, WalRecordType.Message, null, null, Text(text));

    public static ReadMessage Body(long lsn, string text, long commit, long txnId = TxnId) => new(lsn, lsn * 10, WalRecordType.TxnBody, null, null, Text(text), txnId, CommitLsn: commit);

    public static ReadMessage Broadcast(long lsn, string vchannel, params string[] vchannels) => new(
        lsn, lsn * 10, WalRecordType.Broadcast, vchannel, null, JsonSerializer.SerializeToUtf8Bytes(new BroadcastMessage("chaos", vchannels, []), BatonJson.Options), BroadcastId: BroadcastId);

    public static ReadMessage Copied(ReadMessage source, long lsn) => source with
    {
        Lsn = lsn,
        VChannel = source.VChannel is { } v ? VChannels.MoveTo(v, "b-ch0") : null,
        CommitLsn = source.CommitLsn is null ? null : 20,
        Source = new SourcePosition("a", "a-ch0", source.Lsn, source.TimeTick),
    };

    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);
}
