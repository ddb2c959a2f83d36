using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Baton.Core.Api;
using Baton.Node.Channels;
using Baton.Node.Settings;
using Baton.Storage.Wal;
using Microsoft.Extensions.Options;

namespace Baton.Node.Leadership;

/// <summary>
/// Leaving in order: this node says so in a heartbeat, and serves on until others have taken its channels over.
/// <code>
/// a channel is   when                                                             and then
/// served         a leaving beat has no answer yet, or its answer names it         it is waited for, until Node:DrainTimeoutMs is over
/// taken over     its log has a segment of a higher term: its new leader serves    it is done
/// left           an answer does not name it: nobody lives who could take it over  it is not waited for
/// </code>
/// The log, and not this node's own writer, says whether a channel is taken over: the writer of a channel that nobody writes to would not notice. What is left, or not taken
/// over in time, is served until requests are taken no more, and is then closed. A crash at any line is the same as none of it: the channels that the control plane has
/// moved are opened by their new leaders, and the others are moved when this node's heartbeats stay away.
/// </summary>
internal sealed partial class Drain(ControlPlaneClient controlPlane, ChannelTable channels, WalStore store, IOptions<NodeSettings> settings, TimeProvider time, ILogger<Drain> log) : IDisposable
{
    /// <summary>How often the logs are looked at.</summary>
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Logs that are looked at together; more only queue before the storage.</summary>
    private const int LooksAtOnce = 16;
    private const int NamesLogged = 20;

    private readonly CancellationTokenSource _over = new();
    private readonly CancellationTokenSource _atOnce = new();

    /// <summary>Is cancelled when requests that wait for something must wait no longer: the node is about to take no more.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Leaves as <paramref name="incarnation"/>; 0, or where nothing is to be handed over any more, ends at once. Fails never.</summary>
    public async Task RunAsync(long incarnation, CancellationToken cancellationToken)
    {
        // The first signal has brought us here. Another one means now.
        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => _atOnce.Cancel());
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => _atOnce.Cancel());
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(settings.Value.DrainTimeoutMs), time);
        using var any = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _atOnce.Token, cancellationToken);
        var served = new Dictionary<string, LedChannel>(StringComparer.Ordinal);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            if (incarnation > 0)
            {
                await HandOverAsync(incarnation, served, taken, any.Token);
            }
        }
        catch (OperationCanceledException) when (any.IsCancellationRequested)
        {
            LogCutShort(log, settings.Value.Id, limit.IsCancellationRequested ? $"Node:DrainTimeoutMs ({settings.Value.DrainTimeoutMs} ms) is over" : "it was told to stop at once");
        }

        LogLeft(log, settings.Value.Id, taken.Count, served.Count, string.Join(", ", served.Keys.Order(StringComparer.Ordinal).Take(NamesLogged)));
        await _over.CancelAsync();
    }

    /// <summary>Requests wait no longer, drained or not.</summary>
    public void End() => _over.Cancel();

    public void Dispose()
    {
        _over.Dispose();
        _atOnce.Dispose();
    }

    /// <summary>Says that this node leaves until that is answered and nothing is waited for. What is taken over goes from <paramref name="served"/> to <paramref name="taken"/>.</summary>
    private async Task HandOverAsync(long incarnation, Dictionary<string, LedChannel> served, HashSet<string> taken, CancellationToken ct)
    {
        IReadOnlyList<string>? named = null;
        while (true)
        {
            var began = time.GetTimestamp();

            // Looked up again: an order that was on its way may have opened one more.
            foreach (var led in channels.Held())
            {
                served[led.Name] = led;
            }

            named = await SayAsync(incarnation, served.Values, ct) ?? named;
            if (named is null && served.Count == 0)
            {
                // Nothing to hand over, so nothing to wait for: the sweep finds out as well.
                return;
            }

            do
            {
                var waited = named is null ? [.. served.Values] : named.Select(n => served.GetValueOrDefault(n)).OfType<LedChannel>().ToArray();
                foreach (var name in await TakenOverAsync(waited, ct))
                {
                    served.Remove(name);
                    taken.Add(name);
                }

                if (named is null ? served.Count == 0 : !named.Any(served.ContainsKey))
                {
                    return;
                }

                await Task.Delay(LookPause, time, ct);
            }
            while (time.GetElapsedTime(began).TotalMilliseconds < settings.Value.HeartbeatIntervalMs);
        }
    }

    /// <summary>One leaving beat. Null where there was no answer: it is said again.</summary>
    private async Task<IReadOnlyList<string>?> SayAsync(long incarnation, IEnumerable<LedChannel> served, CancellationToken ct)
    {
        try
        {
            var answer = await controlPlane.HeartbeatAsync(new HeartbeatRequest(incarnation, [.. served.Select(c => c.Heartbeat())], Leaving: true), ct);

            // A control plane that does not know of leaving moves nothing before the beats stay away: then nobody is waited for.
            // All that a node which was removed has led was moved before that.
            return answer.TakenOver ?? (answer.Removed ? [.. served.Select(c => c.Name)] : []);
        }
        catch (ControlPlaneException e)
        {
            LogUnanswered(log, settings.Value.Id, e.Message);
            return null;
        }
    }

    private async Task<IReadOnlyCollection<string>> TakenOverAsync(IReadOnlyCollection<LedChannel> waited, CancellationToken ct)
    {
        var taken = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(waited, new ParallelOptions { MaxDegreeOfParallelism = LooksAtOnce, CancellationToken = ct }, async (led, token) =>
        {
            try
            {
                if ((await store.ReadManifestAsync(led.Name, token))?.Segments is [.., var newest] && newest.Term > led.Term)
                {
                    taken.Add(led.Name);
                }
            }
            catch (Exception e) when (e is WalFaultedException or WalDamagedException)
            {
                // Looked at again until time is up.
                LogNotSeen(log, led.Name, e.Message);
            }
        });
        return taken;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Node {NodeId} leaves: {TakenOver} channels taken over by others, {Left} left behind: {Channels}")]
    private static partial void LogLeft(ILogger log, string nodeId, int takenOver, int left, string channels);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {NodeId} stops before all of its channels are taken over: {Reason}")]
    private static partial void LogCutShort(ILogger log, string nodeId, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {NodeId} could not say that it leaves: {Reason}")]
    private static partial void LogUnanswered(ILogger log, string nodeId, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Channel {Channel}: whether it is taken over could not be seen: {Reason}")]
    private static partial void LogNotSeen(ILogger log, string channel, string reason);
}
