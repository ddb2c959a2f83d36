namespace Baton.Node.Leadership;

/// <summary>
/// Whether this node still has a place in its cluster. Used by <see cref="Membership"/>'s one loop only.
/// <code>
/// has owned   owns now   control plane              it
/// no          -          away                       asks on, for ever: it has lost nothing, and whoever starts it anew gains nothing
/// yes         yes        away                       serves on: the log itself stops a leader that has been replaced
/// yes         no         away, for less than that   asks on
/// yes         no         away, for longer           is lost: the process ends, and whoever started it starts it anew
/// any         any        answers                    does what it says
/// </code>
/// Owning is leading, opening, or following as a replica. Time is counted from the last successful join or heartbeat, by a clock that nobody sets.
/// </summary>
internal sealed class Standing(TimeSpan rejoinTimeout, TimeProvider time)
{
    private long _heardAt = time.GetTimestamp();
    private bool _hasOwned;

    /// <summary>How long neither a join nor a heartbeat has succeeded.</summary>
    public TimeSpan Silence => time.GetElapsedTime(_heardAt);

    /// <summary>The control plane has answered.</summary>
    public void Heard() => _heardAt = time.GetTimestamp();

    /// <summary>It owns something, or has since the last note, or not.</summary>
    public void Note(bool owned) => _hasOwned |= owned;

    /// <summary>Whether there is nothing left to wait for.</summary>
    public bool IsLost(bool ownsNow) => _hasOwned && !ownsNow && Silence >= rejoinTimeout;
}
