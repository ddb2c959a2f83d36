using System.Text;
using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal.Interleaving;

/// <summary>The simplest state that a log can stand for: all its texts in order. So a recovery shows the whole log, whatever is deleted of it.</summary>
internal sealed class LogState
{
    private readonly List<string> _texts = [];

    /// <summary>The text of LSN 1, 2, 3 and so on.</summary>
    public IReadOnlyList<string> Texts => _texts;

    /// <summary>The snapshot that the state was begun with; 0 when none.</summary>
    public long RestoredLsn { get; private set; }

    /// <summary>The state as a snapshot's content.</summary>
    public byte[] Content => Encoding.UTF8.GetBytes(string.Join('\n', _texts));

    public WalReplay Replay => new(OnRecord, OnSnapshot);

    public static IReadOnlyList<string> Decode(WalSnapshot snapshot) => snapshot.Content.IsEmpty ? [] : Encoding.UTF8.GetString(snapshot.Content.Span).Split('\n');

    public void Add(string text) => _texts.Add(text);

    private ValueTask OnRecord(long lsn, WalRecord record)
    {
        _texts.Add(record.Text());
        Assert.Equal(_texts.Count, lsn);
        return ValueTask.CompletedTask;
    }

    private ValueTask<bool> OnSnapshot(WalSnapshot snapshot)
    {
        Assert.Empty(_texts);
        _texts.AddRange(Decode(snapshot));
        RestoredLsn = snapshot.Lsn;
        Assert.Equal(snapshot.Lsn, _texts.Count);
        return ValueTask.FromResult(true);
    }
}
