using System.Security.Cryptography;
using System.Text;
using Baton.Core.Api;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Leadership;

/// <summary>
/// Says to the control plane that this node cannot lead a channel at the term that it was given, so that the channel moves on although this node lives. Once for each channel and term; a report that was
/// not taken is sent again with the next heartbeat, a bounded number of times. Nobody waits for it, least of all a heartbeat.
/// </summary>
internal sealed partial class CannotLead(ControlPlaneClient controlPlane, IOptions<NodeSettings> node, ILogger<CannotLead> log)
{
    /// <summary>Reports that wait at most; a channel beyond has its turn when it fails again.</summary>
    private const int MaxPending = 20_000;

    /// <summary>How often one report is sent. A control plane that was away for longer gives this node its assignments anew.</summary>
    private const int MaxTries = 20;

    /// <summary>Reports under way together: a node that cannot reach its storage must not flood the control plane.</summary>
    private const int AtOnce = 4;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Report> _reports = new(StringComparer.Ordinal);
    private long _incarnation;
    private bool _sending;
    private bool _again;

    /// <summary>This node's opening of <paramref name="channel"/> at <paramref name="term"/> has failed for long enough. The same again changes nothing.</summary>
    public void Add(string channel, long term, string reason)
    {
        lock (_lock)
        {
            if (_reports.TryGetValue(channel, out var there) && there.Term >= term)
            {
                return;
            }

            if (_reports.Count >= MaxPending && !DropTaken())
            {
                return;
            }

            _reports[channel] = new Report(channel, term, reason);
            LogCannotLead(log, channel, term, reason);
        }

        Send();
    }

    /// <summary>The channel was opened after all: what was not said yet would be false.</summary>
    public void Withdraw(string channel)
    {
        lock (_lock)
        {
            _reports.Remove(channel);
        }
    }

    /// <summary>The control plane has answered a join or a heartbeat: what it has not taken yet is sent again.</summary>
    public void Heard(long incarnation)
    {
        lock (_lock)
        {
            _incarnation = incarnation;
        }

        Send();
    }

    /// <summary>Forgets what was reported and what is to be: another incarnation comes, at other terms.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _incarnation = 0;
            _reports.Clear();
        }
    }

    private bool DropTaken()
    {
        foreach (var report in _reports.Values.Where(r => !r.IsDue).ToArray())
        {
            _reports.Remove(report.Channel);
        }

        return _reports.Count < MaxPending;
    }

    private void Send()
    {
        lock (_lock)
        {
            if (_sending || _incarnation == 0)
            {
                _again = _sending;
                return;
            }

            if (!_reports.Values.Any(r => r.IsDue))
            {
                return;
            }

            _sending = true;
        }

        _ = SendAllAsync();
    }

    // One at a time; owned by the flag that it takes back, and fails never.
    private async Task SendAllAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (true)
        {
            Report[] due;
            long incarnation;
            lock (_lock)
            {
                _again = false;
                incarnation = _incarnation;
                due = [.. _reports.Values.Where(r => r.IsDue)];
            }

            await Parallel.ForEachAsync(due, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (report, ct) => await SendAsync(report, incarnation, ct));
            lock (_lock)
            {
                // A report that came meanwhile waits for no beat.
                _sending = _again && _incarnation != 0 && _reports.Values.Any(r => r.IsDue);
                if (!_sending)
                {
                    return;
                }
            }
        }
    }

    private async Task SendAsync(Report report, long incarnation, CancellationToken ct)
    {
        report.Tries++;
        try
        {
            var id = node.Value.Id;
            await controlPlane.ReportFailedAsync(new NodeFailedRequest($"{id} cannot lead channel {report.Channel} at term {report.Term}: {report.Reason}", id, EventId(report), incarnation, report.Channel, report.Term), ct);
            report.Taken = true;
        }
        catch (ControlPlaneException e)
        {
            LogNotTaken(log, report.Channel, report.Term, report.Tries, MaxTries, e.Message);
        }
    }

    // One leader a term: the same event is nobody else's.
    private static string EventId(Report report)
    {
        var id = $"cannot-lead-{report.Channel}-{report.Term}";
        return Names.IsValidId(id) ? id : $"cannot-lead-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)))[..32]}";
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "This node cannot lead channel {Channel} at term {Term} and says so: {Reason}")]
    private static partial void LogCannotLead(ILogger log, string channel, long term, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "That this node cannot lead channel {Channel} at term {Term} was not taken, try {Try} of {MaxTries}: {Reason}")]
    private static partial void LogNotTaken(ILogger log, string channel, long term, int @try, int maxTries, string reason);

    private sealed class Report(string channel, long term, string reason)
    {
        public string Channel { get; } = channel;

        public long Term { get; } = term;

        public string Reason { get; } = reason;

        public int Tries { get; set; }

        public bool Taken { get; set; }

        public bool IsDue => !Taken && Tries < MaxTries;
    }
}
