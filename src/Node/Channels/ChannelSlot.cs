namespace Baton.Node.Channels;

/// <summary>One channel name. Opening and closing take turns; reading what is open does not.</summary>
internal sealed class ChannelSlot
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

    /// <summary>The last term at which opening failed on the way, where another try may end otherwise. Changed in turn.</summary>
    public long FailedTerm { get; private set; }

    /// <summary>When the first try that failed at <see cref="FailedTerm"/> began, in ticks of the clock.</summary>
    public long FailedSince { get; private set; }

    /// <summary>The last term that a try of this node took in the manifest without opening the log: nobody can lead at it any more.</summary>
    public long HalfOpenedTerm { get; set; }

    /// <summary>The last closing behind the heartbeats. It logs its own failure, and holds <see cref="Turn"/> while it works.</summary>
    public Task Background { get; set; } = Task.CompletedTask;

    /// <summary>Waits for the end of <see cref="Current"/>.</summary>
    public Task Watch { get; set; } = Task.CompletedTask;

    /// <summary>A try at <paramref name="term"/> that began at <paramref name="since"/> has failed.</summary>
    public void Failed(long term, long since)
    {
        if (FailedTerm != term)
        {
            (FailedTerm, FailedSince) = (term, since);
        }
    }

    /// <summary>What failed before says nothing any more.</summary>
    public void ForgetFailure() => (FailedTerm, HalfOpenedTerm) = (0, 0);

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
