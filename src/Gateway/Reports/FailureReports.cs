using System.Collections.Concurrent;
using System.Threading.Channels;
using Baton.Core.Api;
using Baton.Gateway.ControlPlane;
using Baton.Gateway.Settings;
using Baton.Gateway.Status;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.Reports;

/// <summary>
/// Tells the control plane which nodes cannot be reached. A request only says so and goes on; the calls are made behind it. Of one node at one incarnation there is one report a second while it lasts, whoever and how many say so:
/// the report is repeated since a message may be lost, or have come before the node was known to be silent.
/// </summary>
internal sealed partial class FailureReports(ControlPlaneClient controlPlane, IOptions<GatewaySettings> settings, GatewayMetrics metrics, TimeProvider time, ILogger<FailureReports> log) : BackgroundService
{
    private const int MaxQueued = 256;
    private const int MaxAtOnce = 8;
    private const int MaxRemembered = 1_024;
    private const int MaxReason = 500;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>After a report that was not taken.</summary>
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>When the next report of each node may go, as a timestamp.</summary>
    private readonly ConcurrentDictionary<(string NodeId, long? Incarnation), long> _nextAt = new();
    private readonly Channel<Report> _queue = Channel.CreateBounded<Report>(MaxQueued);

    /// <summary>A node could not be reached. Costs a look into a table where that was said within the second.</summary>
    public void Unreachable(string nodeId, long? incarnation, string reason)
    {
        var now = time.GetTimestamp();
        var key = (nodeId, incarnation);
        if (_nextAt.TryGetValue(key, out var next))
        {
            if (now < next || !_nextAt.TryUpdate(key, After(now, Interval), next))
            {
                return;
            }
        }
        else
        {
            Forget(now);
            if (!_nextAt.TryAdd(key, After(now, Interval)))
            {
                return;
            }
        }

        if (!_queue.Writer.TryWrite(new Report(nodeId, incarnation, reason.Length > MaxReason ? reason[..MaxReason] : reason)))
        {
            metrics.Reported("dropped");
        }
    }

    // One node's report must not wait for that of another.
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, MaxAtOnce).Select(_ => SendAllAsync(stoppingToken)));

    private async Task SendAllAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var report in _queue.Reader.ReadAllAsync(stoppingToken))
            {
                await SendAsync(report, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends; so do its reports.
        }
    }

    private async Task SendAsync(Report report, CancellationToken ct)
    {
        try
        {
            await controlPlane.ReportFailedAsync(report.NodeId, new NodeFailedRequest(report.Reason, settings.Value.Id, Incarnation: report.Incarnation), ct);
            metrics.Reported("sent");
            LogReported(log, report.NodeId, report.Incarnation, report.Reason);
        }
        catch (ControlPlaneException e)
        {
            metrics.Reported("failed");
            _nextAt[(report.NodeId, report.Incarnation)] = After(time.GetTimestamp(), RetryInterval);
            LogNotReported(log, report.NodeId, e.Message);
        }
    }

    /// <summary>Nodes restart without end, and each time with another incarnation.</summary>
    private void Forget(long now)
    {
        if (_nextAt.Count < MaxRemembered)
        {
            return;
        }

        foreach (var (key, next) in _nextAt)
        {
            if (next < now)
            {
                _nextAt.TryRemove(key, out _);
            }
        }
    }

    private long After(long now, TimeSpan span) => now + (long)(span.TotalSeconds * time.TimestampFrequency);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {NodeId} (incarnation {Incarnation}) cannot be reached and was reported: {Reason}")]
    private static partial void LogReported(ILogger log, string nodeId, long? incarnation, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {NodeId} cannot be reached, and that could not be reported: {Reason}")]
    private static partial void LogNotReported(ILogger log, string nodeId, string reason);

    private sealed record Report(string NodeId, long? Incarnation, string Reason);
}
