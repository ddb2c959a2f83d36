using System.Security.Cryptography;
using System.Text;
using Baton.Core.Api;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Leadership;

/// <summary>
/// Says to the control plane which channels this node cannot lead at the term that it was given, so that they move on although this node lives. A node whose storage is away may lead ten thousand channels:
/// what has failed goes out after each heartbeat, many channels in a report and one report at a time. The first that fails after a quiet heartbeat does not wait for the next.
/// Nobody waits for any of it, least of all a heartbeat.
/// </summary>
internal sealed partial class CannotLead(ControlPlaneClient controlPlane, IOptions<NodeSettings> node, ILogger<CannotLead> log)
{
    /// <summary>Channels that wait to be reported at most; one beyond has its turn when it fails again.</summary>
    private const int MaxDue = 20_000;

    /// <summary>How often a channel is reported at one term. A control plane that was away for longer gives this node its assignments anew.</summary>
    private const int MaxTries = 20;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Due> _due = new(StringComparer.Ordinal);

    /// <summary>By channel the term of which nothing more is said: the control plane has taken it, or has refused it often enough.</summary>
    private readonly Dictionary<string, long> _settled = new(StringComparer.Ordinal);

    private long _incarnation;
    private bool _mayBegin;
    private volatile bool _sending;

    /// <summary>Reports are on their way.</summary>
    public bool IsSending => _sending;

    /// <summary>This node's opening of <paramref name="channel"/> at <paramref name="term"/> has failed for long enough. The same again changes nothing.</summary>
    public void Add(string channel, long term, string reason)
    {
        lock (_lock)
        {
            if (_settled.GetValueOrDefault(channel) >= term || _due.GetValueOrDefault(channel)?.Term >= term || (_due.Count >= MaxDue && !_due.ContainsKey(channel)))
            {
                return;
            }

            _due[channel] = new Due(channel, term, reason);
            LogCannotLead(log, channel, term, reason);
        }

        Begin();
    }

    /// <summary>The channel was opened after all: what was not said yet would be false.</summary>
    public void Withdraw(string channel)
    {
        lock (_lock)
        {
            _due.Remove(channel);
            _settled.Remove(channel);
        }
    }

    /// <summary>The control plane has answered a join or a heartbeat: what it has not taken yet is sent.</summary>
    public void Heard(long incarnation)
    {
        lock (_lock)
        {
            (_incarnation, _mayBegin) = (incarnation, true);
        }

        Begin();
    }

    /// <summary>Forgets what was reported and what is to be: another incarnation comes, at other terms.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _mayBegin = false;
            _due.Clear();
            _settled.Clear();
        }
    }

    private void Begin()
    {
        lock (_lock)
        {
            if (_mayBegin && !_sending && _due.Count > 0)
            {
                (_mayBegin, _sending) = (false, true);
                _ = SendAsync([.. _due.Values], _incarnation);
            }
        }
    }

    // Owned by the flag that it takes back.
    private async Task SendAsync(Due[] round, long incarnation)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            foreach (var some in round.Chunk(Leaderships.Max))
            {
                if (!await SendOneAsync(some, incarnation))
                {
                    // The others would hardly be taken either: they wait for the next heartbeat, and have lost no try.
                    return;
                }
            }
        }
        finally
        {
            lock (_lock)
            {
                _sending = false;
            }
        }
    }

    private async Task<bool> SendOneAsync(Due[] some, long incarnation)
    {
        Due[] still;
        lock (_lock)
        {
            still = [.. some.Where(IsStillDue).OrderBy(d => d.Channel, StringComparer.Ordinal)];
            foreach (var due in still)
            {
                due.Tries++;
            }
        }

        if (still is not [var first, ..])
        {
            return true;
        }

        try
        {
            await controlPlane.ReportFailedAsync(
                new NodeFailedRequest(first.Reason, node.Value.Id, EventId(still), incarnation, [.. still.Select(d => new ChannelAtTerm(d.Channel, d.Term))]), CancellationToken.None);
            Settle(still);
            return true;
        }
        catch (ControlPlaneException e)
        {
            LogNotTaken(log, first.Channel, first.Term, still.Length - 1, first.Tries, MaxTries, e.Message);
            Settle(still.Where(d => d.Tries >= MaxTries));
            return false;
        }
    }

    private void Settle(IEnumerable<Due> settled)
    {
        lock (_lock)
        {
            foreach (var due in settled.Where(IsStillDue))
            {
                if (_settled.Count >= MaxDue)
                {
                    // Said again, it is void.
                    _settled.Clear();
                }

                _due.Remove(due.Channel);
                _settled[due.Channel] = due.Term;
            }
        }
    }

    private bool IsStillDue(Due due) => ReferenceEquals(_due.GetValueOrDefault(due.Channel), due);

    // One leader a term: what the same channels and terms say is the same event, and nobody else's.
    private static string EventId(Due[] due) =>
        $"cannot-lead-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', due.Select(d => $"{d.Channel} {d.Term}")))))[..32]}";

    [LoggerMessage(Level = LogLevel.Error, Message = "This node cannot lead channel {Channel} at term {Term} and says so: {Reason}")]
    private static partial void LogCannotLead(ILogger log, string channel, long term, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "That this node cannot lead channel {Channel} at term {Term}, nor {Others} others, was not taken, try {Try} of {MaxTries}: {Reason}")]
    private static partial void LogNotTaken(ILogger log, string channel, long term, int others, int @try, int maxTries, string reason);

    private sealed class Due(string channel, long term, string reason)
    {
        public string Channel { get; } = channel;

        public long Term { get; } = term;

        public string Reason { get; } = reason;

        public int Tries { get; set; }
    }
}
