using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Load;

/// <summary>Reads along in a secondary, and measures for each plain message how long after its acknowledgement by the primary it could be read here.</summary>
public sealed class LagWatch : IAsyncDisposable
{
    private const int WaitMs = 500;
    private static readonly TimeSpan AfterFailure = TimeSpan.FromMilliseconds(100);
    private readonly CancellationTokenSource _stop;
    private readonly ConcurrentQueue<double> _lagsMs = new();
    private readonly Task _readers;

    private LagWatch(LocalCluster secondary, Recorder recorder, IReadOnlyDictionary<string, long> from, CancellationTokenSource stop)
    {
        _stop = stop;
        var leaders = new LeaderClient(secondary.Client);
        _readers = Task.WhenAll(from.Select(f => Task.Run(() => ReadAsync(leaders, recorder, f.Key, f.Value))));
    }

    /// <summary>Messages measured.</summary>
    public int Count => _lagsMs.Count;

    /// <summary>Starts reading at the present end of each channel.</summary>
    public static async Task<LagWatch> StartAsync(LocalCluster secondary, Recorder recorder, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(secondary);
        var from = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var channel in secondary.Channels)
        {
            from[channel] = (await secondary.Client.StatusAsync(channel, cancellationToken)).LastLsn + 1;
        }

        return new LagWatch(secondary, recorder, from, CancellationTokenSource.CreateLinkedTokenSource(cancellationToken));
    }

    /// <summary>The lag that half of the messages did not exceed, and the largest (milliseconds); 0 and 0 where none was measured.</summary>
    public (double P50, double Max) Lag()
    {
        var sorted = _lagsMs.Order().ToList();
        return sorted.Count == 0 ? (0, 0) : (sorted[sorted.Count / 2], sorted[^1]);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _readers;
        _stop.Dispose();
    }

    private async Task ReadAsync(LeaderClient leaders, Recorder recorder, string channel, long from)
    {
        try
        {
            while (true)
            {
                var path = string.Create(CultureInfo.InvariantCulture, $"messages?from={from}&max=1000&waitMs={WaitMs}&isolation=committed");
                var read = await leaders.SendAsync<ReadResponse>(HttpMethod.Get, channel, path, null, _stop.Token);
                if (read?.Body is not { } page)
                {
                    await Task.Delay(AfterFailure, _stop.Token);
                    continue;
                }

                from = page.NextLsn;
                foreach (var message in page.Messages.Where(m => m.Type == WalRecordType.Message))
                {
                    // Read here before the writer had its answer there: no lag at all.
                    _lagsMs.Enqueue((recorder.SinceAcknowledged(Encoding.UTF8.GetString(message.Payload)) ?? TimeSpan.Zero).TotalMilliseconds);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The watch is over.
        }
    }
}
