using System.Collections.Concurrent;
using Baton.Core.Api;
using Baton.Storage.Wal;

namespace Baton.Node.Channels;

/// <summary>
/// The channels that this node leads. Orders to open and close come from two sides, the control plane's calls and the answers to heartbeats, in any
/// order and late; terms say which one holds. A term that was held, given up or seen in the log is never opened again.
/// </summary>
internal sealed partial class ChannelTable(ChannelOpener opener, ILogger<ChannelTable> log)
{
    private readonly ConcurrentDictionary<string, Slot> _slots = new(StringComparer.Ordinal);
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
    public bool OwnsAny => _slots.Values.Any(s => s.Current is { Ended: false } || s.Turn.CurrentCount == 0);

    /// <summary>It has led something since the process began.</summary>
    public bool HasLed => _slots.Values.Any(s => s.HasLed);

    /// <summary>The highest term of the channel that was held, given up or met here; 0 = none.</summary>
    public long TermSeen(string channel) => _slots.TryGetValue(channel, out var slot) ? slot.SeenTerm : 0;

    /// <summary>Completes with the reason when this node must let go of everything and join again: only a new term can repair it.</summary>
    public Task<string> TroubleAsync() => Volatile.Read(ref _trouble).Task;

    /// <summary>Opens a channel by order.</summary>
    /// <exception cref="ApiException">Conflict where the term is not above every term seen.</exception>
    public async Task<LedChannel> OpenAsync(string channel, long term)
    {
        var slot = _slots.GetOrAdd(channel, _ => new Slot());
        await slot.Turn.WaitAsync();
        try
        {
            if (term <= slot.SeenTerm)
            {
                throw new ApiException(ApiErrorCode.Conflict, $"channel {channel} was seen at term {slot.SeenTerm}: term {term} is not above it");
            }

            return await OpenInTurnAsync(slot, channel, term);
        }
        finally
        {
            slot.Turn.Release();
        }
    }

    /// <summary>Opens, behind the caller's back, what the assignments say that this node should lead and does not.</summary>
    public void Follow(IReadOnlyList<Assignment> assignments)
    {
        foreach (var assignment in assignments.Where(a => string.Equals(a.Role, LedChannel.LeaderRole, StringComparison.Ordinal)))
        {
            var slot = _slots.GetOrAdd(assignment.Channel, _ => new Slot());
            if (assignment.Term > slot.SeenTerm && slot.Turn.Wait(0))
            {
                slot.Background = FollowInTurnAsync(slot, assignment);
            }
        }
    }

    /// <summary>Closes what was held when a heartbeat left and is not assigned in its answer. What was opened since then is newer than the answer, and stays.</summary>
    public void Release(IReadOnlyList<LedChannel> held, IReadOnlyList<Assignment> assignments)
    {
        foreach (var led in held)
        {
            var assigned = assignments.Any(a =>
                a.Term >= led.Term && string.Equals(a.Channel, led.Name, StringComparison.Ordinal) && string.Equals(a.Role, LedChannel.LeaderRole, StringComparison.Ordinal));
            if (!assigned && !led.Ended)
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
        var slot = _slots.GetOrAdd(channel, _ => new Slot());
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
        }
    }

    /// <summary>Closes everything and forgets what happened: what follows is another incarnation, at other terms.</summary>
    public async Task CloseAllAsync()
    {
        await Task.WhenAll(_slots.Values.Select(slot => CloseIfStillAsync(slot, null)));
        Volatile.Write(ref _trouble, NewTrouble());
    }

    private async Task FollowInTurnAsync(Slot slot, Assignment assignment)
    {
        // Off the caller's thread from the first line on: heartbeats go on while a log is read.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            if (assignment.Term > slot.SeenTerm)
            {
                await OpenInTurnAsync(slot, assignment.Channel, assignment.Term);
            }
        }
        catch (ApiException e)
        {
            LogNotOpened(log, assignment.Channel, assignment.Term, e.Message);
        }
        finally
        {
            slot.Turn.Release();
        }
    }

    private async Task<LedChannel> OpenInTurnAsync(Slot slot, string channel, long term)
    {
        await slot.CloseCurrentAsync();
        try
        {
            var led = await opener.OpenAsync(channel, term);
            slot.SeenTerm = term;
            slot.HasLed = true;
            slot.Current = led;
            slot.Watch = WatchAsync(slot, led);
            _opened.Pulse();
            return led;
        }
        catch (WalTermRefusedException e)
        {
            slot.SeenTerm = Math.Max(slot.SeenTerm, e.CurrentTerm);
            if (e.CurrentTerm == term && slot.FailedTerm == term)
            {
                // An earlier try of our own took the term in the manifest and then failed: nobody can lead at it any more.
                RaiseTrouble($"channel {channel} was half opened at term {term}");
            }

            throw new ApiException(ApiErrorCode.Conflict, $"channel {channel} has been opened at term {e.CurrentTerm}: term {term} is not above it");
        }
        catch (WalFencedException)
        {
            slot.SeenTerm = term;
            throw new ApiException(ApiErrorCode.Conflict, $"channel {channel} was opened by another node while this one opened it at term {term}");
        }
        catch (Exception e) when (e is WalDamagedException or InvalidDataException)
        {
            // No term repairs a damaged log: trying again would only take the node's other channels with it.
            slot.SeenTerm = term;
            LogDamaged(log, e, channel, term);
            throw new ApiException(ApiErrorCode.Internal, $"the log of channel {channel} is damaged; the node's log has the details");
        }
        catch (Exception e)
        {
            slot.FailedTerm = term;
            LogOpenFailed(log, e, channel, term);
            throw new ApiException(ApiErrorCode.Unavailable, $"channel {channel} could not be opened at term {term}; the node's log has the details") { RetryAfterSeconds = 1 };
        }
    }

    /// <summary>Owned by the channel it watches: ends when its leadership does, and fails never.</summary>
    private async Task WatchAsync(Slot slot, LedChannel led)
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
    private static async Task<bool> CloseIfStillAsync(Slot slot, LedChannel? led)
    {
        await slot.Turn.WaitAsync();
        try
        {
            if (led is not null && !ReferenceEquals(slot.Current, led))
            {
                return false;
            }

            await slot.CloseCurrentAsync();
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "Channel {Channel} was not opened at term {Term}: {Reason}")]
    private static partial void LogNotOpened(ILogger log, string channel, long term, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Opening channel {Channel} at term {Term} failed")]
    private static partial void LogOpenFailed(ILogger log, Exception exception, string channel, long term);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Channel {Channel} stays closed at term {Term}: its log is damaged")]
    private static partial void LogDamaged(ILogger log, Exception exception, string channel, long term);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Channel {Channel} is lost at term {Term}: {End}")]
    private static partial void LogLost(ILogger log, string channel, long term, LeadershipEnd end);

    /// <summary>One channel name. Opening and closing take turns; reading what is open does not.</summary>
    private sealed class Slot
    {
        private volatile LedChannel? _current;
        private volatile bool _hasLed;
        private long _seenTerm;

        public SemaphoreSlim Turn { get; } = new(1, 1);

        public LedChannel? Current
        {
            get => _current;
            set => _current = value;
        }

        /// <summary>It was led here, at whatever term.</summary>
        public bool HasLed
        {
            get => _hasLed;
            set => _hasLed = value;
        }

        /// <summary>The highest term held, given up or met here.</summary>
        public long SeenTerm
        {
            get => Volatile.Read(ref _seenTerm);
            set => Volatile.Write(ref _seenTerm, value);
        }

        /// <summary>The last term at which opening failed on the way.</summary>
        public long FailedTerm { get; set; }

        /// <summary>The last opening or closing behind the heartbeats. It logs its own failure, and holds <see cref="Turn"/> while it works.</summary>
        public Task Background { get; set; } = Task.CompletedTask;

        /// <summary>Waits for the end of <see cref="Current"/>.</summary>
        public Task Watch { get; set; } = Task.CompletedTask;

        public async Task CloseCurrentAsync()
        {
            if (_current is { } led)
            {
                _current = null;
                SeenTerm = Math.Max(SeenTerm, led.Term);
                await led.DisposeAsync();
            }
        }
    }
}
