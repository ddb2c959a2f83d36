namespace Baton.Gateway.Forwarding;

/// <summary>The gateway was told to stop. What is under way is finished; only reads that wait are cut short, since they may wait for a minute.</summary>
internal sealed class Stopping
{
    private readonly TimeProvider _time;
    private long _since;

    public Stopping(IHostApplicationLifetime lifetime, TimeProvider time)
    {
        (_time, Token) = (time, lifetime.ApplicationStopping);
        Token.UnsafeRegister(static s => ((Stopping)s!).Began(), this);
    }

    /// <summary>Is cancelled when it begins.</summary>
    public CancellationToken Token { get; }

    /// <summary>When it began, as a timestamp; null while it has not.</summary>
    public long? Since => Token.IsCancellationRequested && Volatile.Read(ref _since) is not 0 and var since ? since : null;

    private void Began() => Volatile.Write(ref _since, _time.GetTimestamp());
}
