using System.Collections.Concurrent;
using Baton.Core.Api;
using Baton.Node.Leadership;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Channels;

/// <summary>
/// The channels that this node leads. Orders to open and close come from two sides, the control plane's calls and the answers to heartbeats, in any
/// order and late; terms say which one holds. A term that was held, given up or seen in the log is never opened again.
/// </summary>
internal sealed partial class ChannelTable(
    ChannelOpener opener,
    OpenOrders orders,
    TermWaits waits,
    CannotLead cannotLead,
    IOptions<NodeSettings> settings,
    TimeProvider time,
    ILogger<ChannelTable> log)
{
    private readonly ConcurrentDictionary<string, ChannelSlot> _slots = new(StringComparer.Ordinal);
    private readonly DurableProgress _opened = new();
    private TaskCompletionSource<string> _trouble = NewTrouble();

    /// <summary>Completes when the next channel is opened. Take it before looking at <see cref="Held"/>.</summary>
    public Task Opened => _opened.Moved;

    /// <summary>The channel, led by this node.</summary>
    /// <exception cref="ApiException">NotLeader, with the leader where this node knows it.</exception>
    public LedChannel Led(string channel) =>
        _slots.TryGetValue(channel, out var slot) && slot.Current is { Ended: false } led ? led : throw opener.NotLeader(channel);

    /// <summary>The channel if this node leads it.</summary>
    public LedChannel? Find(string channel) => _slots.TryGetValue(channel, out var slot) && slot.Current is { Ended: false } led ? led : null;

    /// <summary>Everything led now.</summary>
    public IReadOnlyList<LedChannel> Held() => [.. _slots.Values.Select(s => s.Current).OfType<LedChannel>().Where(c => !c.Ended)];

    /// <summary>It leads something, or is about to open or close it.</summary>
    public bool OwnsAny => orders.UnderWay > 0 || orders.Waiting > 0 || _slots.Values.Any(s => s.Current is { Ended: false } || s.Turn.CurrentCount == 0);

    /// <summary>It has led something since the process began.</summary>
    public bool HasLed => _slots.Values.Any(s => s.HasLed);

    /// <summary>Openings under way.</summary>
    public int OpeningsUnderWay => orders.UnderWay;

    /// <summary>Orders to open that wait for their turn.</summary>
    public int OpeningsWaiting => orders.Waiting;

    /// <summary>Requests that wait for a channel to be opened here.</summary>
    public int RequestsWaiting => waits.Count;

    /// <summary>The highest term of the channel that was held, given up or met here; 0 = none.</summary>
    public long TermSeen(string channel) => _slots.TryGetValue(channel, out var slot) ? slot.SeenTerm : 0;

    /// <summary>The highest term of the channel that was met here, or is about to be opened.</summary>
    public long TermOrdered(string channel) => Math.Max(TermSeen(channel), orders.TermOf(channel));

    /// <summary>Completes with the reason when this node must let go of everything and join again: only a new term can repair it.</summary>
    public Task<string> TroubleAsync() => Volatile.Read(ref _trouble).Task;

    /// <summary>Closes what was held when a heartbeat left and is not assigned in its answer. What was opened since then is newer than the answer, and stays.</summary>
    public void Release(IReadOnlyList<LedChannel> held, IReadOnlyList<Assignment> assignments)
    {
        // A node may lead ten thousand channels: one look at each, and not at all for each.
        var terms = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var assignment in assignments.Where(IsToLead))
        {
            terms[assignment.Channel] = Math.Max(assignment.Term, terms.GetValueOrDefault(assignment.Channel));
        }

        foreach (var led in held)
        {
            if (terms.GetValueOrDefault(led.Name) < led.Term && !led.Ended)
            {
                // Behind the heartbeats: closing waits for the log, and a node that stops beating loses its other channels too.
                LogReleased(log, led.Name, led.Term);
                var slot = _slots[led.Name];
                slot.Background = CloseIfStillAsync(slot, led);
            }
        }
    }

    /// <summary>Closes a channel that is open at <paramref name="term"/> or below; one that is not open is closed already.</summary>
    /// <exception cref="ApiException">Conflict where it is open at a higher term.</exception>
    public async Task CloseAsync(string channel, long term)
    {
        var slot = SlotOf(channel);
        await slot.Turn.WaitAsync();
        try
        {
            if (slot.Current is { } led && led.Term > term)
            {
                throw new ApiException(ApiErrorCode.Conflict, $"channel {channel} is open at term {led.Term}, above {term}");
            }

            // Also where nothing is open: an answer that is still on its way must not open what has been closed.
            slot.SeenTerm = Math.Max(slot.SeenTerm, term);
            await slot.CloseCurrentAsync();
        }
        finally
        {
            slot.Turn.Release();
            waits.Settled(channel, slot.SeenTerm);
        }
    }

    /// <summary>Closes everything and forgets what happened: what follows is another incarnation, at other terms.</summary>
    public async Task CloseAllAsync()
    {
        TakeNothingOn();
        cannotLead.Clear();
        await Task.WhenAll(_slots.Values.Select(slot => CloseIfStillAsync(slot, null)));
        Volatile.Write(ref _trouble, NewTrouble());
    }

    /// <summary>Owned by the channel it watches: ends when its leadership does, and fails never.</summary>
    private async Task WatchAsync(ChannelSlot slot, LedChannel led)
    {
        var end = await led.WaitEndAsync();
        if (end == LeadershipEnd.Closed)
        {
            return;
        }

        LogLost(log, led.Name, led.Term, end);
        if (await CloseIfStillAsync(slot, led) && end == LeadershipEnd.Faulted)
        {
            RaiseTrouble($"the log of channel {led.Name} failed at term {led.Term}");
        }
    }

    /// <summary>Closes what is open, if it is <paramref name="led"/> or that is null. False where it was closed already.</summary>
    private static async Task<bool> CloseIfStillAsync(ChannelSlot slot, LedChannel? led)
    {
        await slot.Turn.WaitAsync();
        try
        {
            if (led is not null && !ReferenceEquals(slot.Current, led))
            {
                return false;
            }

            await slot.CloseCurrentAsync();
            if (led is null)
            {
                slot.ForgetFailure();
            }

            return true;
        }
        finally
        {
            slot.Turn.Release();
        }
    }

    private void RaiseTrouble(string reason) => Volatile.Read(ref _trouble).TrySetResult(reason);

    private static TaskCompletionSource<string> NewTrouble() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(Level = LogLevel.Information, Message = "Channel {Channel} is no longer assigned to this node: closing term {Term}")]
    private static partial void LogReleased(ILogger log, string channel, long term);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Channel {Channel} is lost at term {Term}: {End}")]
    private static partial void LogLost(ILogger log, string channel, long term, LeadershipEnd end);
}
