using Baton.Storage.Wal;

namespace Baton.Bench.Node;

/// <summary>Reads the log of one channel as far as it is acknowledged: every write of every producer is there once, whole, and in its producer's order.</summary>
internal sealed class LoadCheck(WalStore store, string channel, Load load, int number, int producers, int batch)
{
    private const int MaxProblems = 20;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    // Messages found of each producer; the next one must be the one behind them.
    private readonly long[] _found = new long[producers];

    public List<string> Problems { get; } = [];

    /// <summary>Messages found.</summary>
    public long Messages => _found.Sum();

    /// <summary>Reads until everything that was acknowledged has been read, once <paramref name="ended"/> says that nothing more will be.</summary>
    public async Task RunAsync(Task ended, CancellationToken ct)
    {
        var next = 1L;
        while (Problems.Count < MaxProblems)
        {
            var last = ended.IsCompleted;
            var through = load.LastLsn(number);
            if (through >= next)
            {
                await foreach (var entry in store.ReadAsync(channel, next, through, ct))
                {
                    Take(entry);
                }

                next = through + 1;
            }
            else if (last)
            {
                break;
            }
            else
            {
                await Task.WhenAny(ended, Task.Delay(Pause, ct));
            }
        }

        for (var producer = 0; producer < producers; producer++)
        {
            var acknowledged = load.ChannelOf(producer) == number ? load.Acknowledged(producer) * batch : 0;
            if (_found[producer] != acknowledged)
            {
                Problems.Add($"{channel}: {_found[producer]} messages of producer {producer} are in the log, {acknowledged} were acknowledged");
            }
        }
    }

    private void Take(WalEntry entry)
    {
        if (entry.Record.Type != Core.Wal.WalRecordType.Message)
        {
            return;
        }

        if (LoadMessages.Stamp(entry.Record) is not { } stamp || stamp.Producer < 0 || stamp.Producer >= producers)
        {
            Problems.Add($"{channel}: the record at LSN {entry.Lsn} is none that was sent");
            return;
        }

        var place = ((stamp.Sequence - 1) * batch) + stamp.Index;
        if (place != _found[stamp.Producer])
        {
            Problems.Add($"{channel}: LSN {entry.Lsn} is message {place} of producer {stamp.Producer}, where {_found[stamp.Producer]} should be");
        }

        _found[stamp.Producer] = place + 1;
    }
}
