using System.Collections.Concurrent;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal.Interleaving;

/// <summary>What the actors of one schedule do, and what each of them was told and saw.</summary>
internal sealed class LogActors(WalOptions options)
{
    private const string Channel = LogSchedule.Channel;
    private readonly ConcurrentDictionary<string, Appended> _appended = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<(string By, long Lsn, string Text)> _seen = [];

    /// <summary>One step of a writer.</summary>
    public enum Step
    {
        Append,
        Snapshot,
        Trim,

        /// <summary>Reads the log's end through the writer's own store, as a leader's readers do: what they learn of places is the writer's too.</summary>
        Read,
    }

    private enum End
    {
        Unknown,
        Acknowledged,
        Fenced,
    }

    /// <summary>Pins that were promised and are not being released: the first LSN that must stay.</summary>
    public ConcurrentDictionary<string, long> Pinned { get; } = new(StringComparer.Ordinal);

    public int Swept { get; private set; }

    public async Task WriteAsync(IWalStorage storage, string name, long term, IReadOnlyList<Step> script)
    {
        try
        {
            var state = new LogState();
            var store = Store(storage);
            var writer = await store.OpenAsync(Channel, term, name, state.Replay, CancellationToken.None);
            See(name, state);
            for (var n = 0; n < script.Count; n++)
            {
                await DoAsync(script[n], store, writer, state, $"{name}.{n}");
            }
        }
        catch (Exception failure) when (failure is WalTermRefusedException or WalFencedException or WalFaultedException or WalTrimmedException)
        {
            // The ways in which a writer may end; one that was deposed may find its end trimmed by its successor.
        }
    }

    public async Task ReadAsync(IWalStorage storage, int rounds)
    {
        var store = Store(storage);
        var next = 1L;
        for (var round = 0; round < rounds; round++)
        {
            try
            {
                await foreach (var entry in store.ReadAsync(Channel, next, long.MaxValue, CancellationToken.None))
                {
                    _seen.Add(("reader", entry.Lsn, entry.Record.Text()));
                    next = entry.Lsn + 1;
                }
            }
            catch (WalTrimmedException trimmed)
            {
                next = trimmed.FirstLsn;
            }
            catch (WalFaultedException)
            {
                // Too many of its calls were lost; the next round goes on from there.
            }
        }
    }

    /// <summary>Pins the log from near its beginning, reads it from there, and releases it: while it is pinned, nothing may be missing.</summary>
    public async Task PinAsync(IWalStorage storage, int rounds, int offset)
    {
        var store = Store(storage);
        for (var round = 0; round < rounds; round++)
        {
            try
            {
                if (await store.ReadHistoryAsync(Channel, CancellationToken.None) is not { } history)
                {
                    continue;
                }

                var from = history.FirstLsn + offset;
                Pinned.Clear();
                await store.PinAsync(Channel, "pinner", from, TimeSpan.FromHours(1), CancellationToken.None);
                Pinned["pinner"] = from;
                await foreach (var entry in store.ReadAsync(Channel, from, long.MaxValue, CancellationToken.None))
                {
                    Assert.Equal(from++, entry.Lsn);
                    _seen.Add(("pinner", entry.Lsn, entry.Record.Text()));
                }

                Pinned.Clear();
                await store.ReleasePinAsync(Channel, "pinner", CancellationToken.None);
            }
            catch (Exception failure) when (failure is WalFaultedException or WalTrimmedException)
            {
                // Trimmed: it came too late, and was told so. Faulted: it cannot tell; it holds it until its time is over.
                Assert.True(failure is not WalTrimmedException || Pinned.IsEmpty, "what was pinned is trimmed");
            }
        }
    }

    public async Task SweepAsync(IWalStorage storage, int rounds)
    {
        for (var round = 0; round < rounds; round++)
        {
            try
            {
                Swept += await Store(storage).SweepAsync(Channel, CancellationToken.None);
            }
            catch (WalFaultedException)
            {
                // The next round takes the rest.
            }
        }
    }

    /// <summary>Notes what a recovery came to.</summary>
    public void See(string by, LogState state)
    {
        for (var i = 0; i < state.Texts.Count; i++)
        {
            _seen.Add((by, i + 1, state.Texts[i]));
        }
    }

    /// <summary>Compares what everybody was told and saw with the log as it is in the end.</summary>
    public void Check(IReadOnlyList<string> log)
    {
        Assert.Equal(log.Count, log.Distinct(StringComparer.Ordinal).Count());
        for (var i = 0; i < log.Count; i++)
        {
            Assert.True(_appended.TryGetValue(log[i], out var appended), $"'{log[i]}' was appended by nobody");
            Assert.True(appended.Lsn == i + 1, $"'{log[i]}' was given LSN {appended.Lsn} and is at {i + 1}");
            Assert.True(appended.End != End.Fenced, $"'{log[i]}' failed as fenced and is in the log");
        }

        foreach (var (text, appended) in _appended)
        {
            Assert.True(appended.End != End.Acknowledged || (appended.Lsn <= log.Count && log[(int)appended.Lsn - 1] == text), $"'{text}' was acknowledged at LSN {appended.Lsn} and is not there");
        }

        foreach (var (by, lsn, text) in _seen)
        {
            Assert.True(lsn <= log.Count && log[(int)lsn - 1] == text, $"{by} saw '{text}' at LSN {lsn}, which is not in the log");
        }
    }

    private async Task DoAsync(Step step, WalStore store, WalWriter writer, LogState state, string text)
    {
        switch (step)
        {
            case Step.Append:
                // One or two records in one append: in the log together or not at all.
                await AppendAsync(writer, state, text[^1] % 2 == 0 ? [text] : [$"{text}a", $"{text}b"]);
                break;
            case Step.Snapshot when writer.LastDurableLsn > 0:
                await writer.WriteSnapshotAsync(writer.LastDurableLsn, state.Content, CancellationToken.None);
                break;
            case Step.Trim:
                await writer.TrimAsync(long.MaxValue, CancellationToken.None);
                break;
            case Step.Read:
                await foreach (var entry in store.ReadAsync(Channel, Math.Max(1, writer.LastDurableLsn), long.MaxValue, CancellationToken.None))
                {
                    _seen.Add(($"{text} beside its writer", entry.Lsn, entry.Record.Text()));
                }

                break;
            default:
                break;
        }
    }

    private async Task AppendAsync(WalWriter writer, LogState state, string[] texts)
    {
        var append = writer.Append([.. texts.Select(WalTestExtensions.Message)]);
        Note(texts, append, End.Unknown);
        try
        {
            await append.Durable;
            Note(texts, append, End.Acknowledged);
            Array.ForEach(texts, state.Add);
        }
        catch (WalFencedException)
        {
            Note(texts, append, End.Fenced);
            throw;
        }
    }

    private void Note(string[] texts, WalAppend append, End end)
    {
        for (var i = 0; i < texts.Length; i++)
        {
            _appended[texts[i]] = new Appended(append.FirstLsn + i, end);
        }
    }

    private WalStore Store(IWalStorage storage) => new(storage, options, TimeProvider.System, NullLoggerFactory.Instance);

    private sealed record Appended(long Lsn, End End);
}
