using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;

namespace Baton.Bench.Node;

/// <summary>One look at the run.</summary>
/// <param name="At">When.</param>
/// <param name="Messages">Messages acknowledged so far.</param>
/// <param name="WorkingSetBytes">The node's resident memory.</param>
/// <param name="HeapBytes">Its managed heap, as its metrics say; null where they do not, or did not come.</param>
/// <param name="StorageBytes">Resident memory of the storage service.</param>
internal sealed record NodeSample(TimeSpan At, long Messages, long WorkingSetBytes, long? HeapBytes, long StorageBytes);

/// <summary>Looks at the node once a second while it is under load, and stops the load before the storage, which is in memory, has too much of the machine's.</summary>
internal sealed class NodeSamples(int nodeProcessId, int storageProcessId, Uri metrics, string secret, Load load) : IDisposable
{
    // Azurite itself refuses at half.
    private const double StorageShare = 0.4;

    private const string HeapMetric = "dotnet_gc_heap_bytes ";
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(10), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", secret) } };
    private readonly List<NodeSample> _samples = [];

    public IReadOnlyList<NodeSample> All => _samples;

    /// <summary>Resident memory of the storage at which the load was stopped; null where it was not.</summary>
    public long? StoppedAtBytes { get; private set; }

    /// <summary>Looks until <paramref name="ended"/> completes.</summary>
    public async Task RunAsync(Task ended, CancellationToken ct)
    {
        var clock = Stopwatch.StartNew();
        while (!ended.IsCompleted)
        {
            var sample = new NodeSample(clock.Elapsed, load.Messages, ResidentBytes(nodeProcessId), await HeapBytesAsync(ct), ResidentBytes(storageProcessId));
            _samples.Add(sample);
            if (sample.StorageBytes > StorageShare * GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)
            {
                StoppedAtBytes ??= sample.StorageBytes;
                load.Stop();
            }

            await Task.WhenAny(ended, Task.Delay(Every, ct));
        }
    }

    /// <summary>The first third of the samples, or the last.</summary>
    public IReadOnlyList<NodeSample> Third(bool last)
    {
        var count = Math.Max(1, _samples.Count / 3);
        return [.. last ? _samples.TakeLast(count) : _samples.Take(count)];
    }

    public void Dispose() => _http.Dispose();

    private static long ResidentBytes(int processId)
    {
        var status = $"/proc/{processId}/status";
        if (!File.Exists(status))
        {
            throw new InvalidOperationException($"Process {processId} has ended before the load did.");
        }

        var line = File.ReadLines(status).Single(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line["VmRSS:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture) * 1024;
    }

    private async Task<long?> HeapBytesAsync(CancellationToken ct)
    {
        try
        {
            var text = await _http.GetStringAsync(metrics, ct);
            var line = text.Split('\n').FirstOrDefault(l => l.StartsWith(HeapMetric, StringComparison.Ordinal));
            return line is null ? null : (long)double.Parse(line[HeapMetric.Length..], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (!ct.IsCancellationRequested && (e is HttpRequestException or OperationCanceledException))
        {
            // One look less: the run is about the appends.
            return null;
        }
    }
}
