namespace Baton.Node.Tests.Harness;

/// <summary>The system's clock, whose hands the test sets. Timers and elapsed time go on as they are, as they do on a machine whose clock is set.</summary>
internal sealed class ShiftedTime : TimeProvider
{
    private long _shiftTicks;

    public void Set(TimeSpan shift) => Interlocked.Exchange(ref _shiftTicks, shift.Ticks);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _shiftTicks));
}
