using System.Globalization;

namespace Baton.Node.Tests.Harness;

/// <summary>A wall clock that stands where the test puts it, also back. Timers and elapsed time stay real, so that nothing that waits hangs.</summary>
internal sealed class MovableClock(long milliseconds = MovableClock.StartMs) : TimeProvider
{
    /// <summary>Where it stands at first: 2027-01-15T08:00:00Z.</summary>
    public const long StartMs = 1_800_000_000_000;

    private long _milliseconds = milliseconds;

    /// <summary>Unix milliseconds.</summary>
    public long Milliseconds
    {
        get => Volatile.Read(ref _milliseconds);
        set => Volatile.Write(ref _milliseconds, value);
    }

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(Milliseconds);

    public override string ToString() => Milliseconds.ToString(CultureInfo.InvariantCulture);
}
