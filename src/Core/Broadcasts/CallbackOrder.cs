using System.Runtime.InteropServices;
using Baton.Core.Replication;

namespace Baton.Core.Broadcasts;

/// <summary>The place of a task in the order of callbacks.</summary>
/// <param name="ControlTick">Time tick of its record on the control vchannel; 0 while that is not known.</param>
/// <param name="BroadcastId">The task; decides between equal ticks.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct CallbackPlace(long ControlTick, long BroadcastId) : IComparable<CallbackPlace>
{
    /// <inheritdoc/>
    public int CompareTo(CallbackPlace other) => ControlTick != other.ControlTick ? ControlTick.CompareTo(other.ControlTick) : BroadcastId.CompareTo(other.BroadcastId);

    /// <summary>Compares places.</summary>
    public static bool operator <(CallbackPlace left, CallbackPlace right) => left.CompareTo(right) < 0;

    /// <summary>Compares places.</summary>
    public static bool operator >(CallbackPlace left, CallbackPlace right) => left.CompareTo(right) > 0;

    /// <summary>Compares places.</summary>
    public static bool operator <=(CallbackPlace left, CallbackPlace right) => left.CompareTo(right) <= 0;

    /// <summary>Compares places.</summary>
    public static bool operator >=(CallbackPlace left, CallbackPlace right) => left.CompareTo(right) >= 0;
}

/// <summary>What a complete task does about one with a place before its own.</summary>
public enum CallbackAhead
{
    /// <summary>That one is complete too: its callback is run first, by whoever meets it.</summary>
    RunFirst,

    /// <summary>That one will be complete: its callback is waited for.</summary>
    WaitFor,

    /// <summary>That one has no callback to come, or none that anybody works for: it is passed by.</summary>
    PassBy,
}

/// <summary>
/// Callbacks run in the order of the control vchannel's time tick. A task has a place once its control record's tick is known here; one that was created here has
/// a place before all of them as long as it is not, since its record may be in the log already. A task that came by replication needs none until then: a
/// node reports a control record only after every one before it. Tasks without control vchannel have no place, and wait for nobody.
/// <para>
/// Nobody waits in a circle. Who waits is complete, so it has a known tick; it waits for a lower one, or for one that is not acked on its control vchannel yet. That one
/// waits for no callback until it is acked everywhere, and from then on only for lower ticks: of all complete tasks the lowest never waits for another complete one.
/// A task that is not complete is waited for only while something works for it: one created here while its operation holds its locks (it does from before its
/// first append until it is finished or given up), one that came by replication while this cluster is a secondary and its missing records can still come. So neither an operation that
/// was given up nor a broadcast that a promotion left incomplete holds anybody up for ever. A promotion itself completes broadcasts by id and never asks here.
/// </para>
/// </summary>
public static class CallbackOrder
{
    /// <summary>The place of <paramref name="task"/>, or null: its callback is done, it has no control vchannel, or it came by replication and its control record is not known.</summary>
    public static CallbackPlace? PlaceOf(BroadcastTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        if (task.State is not (BroadcastState.Pending or BroadcastState.Replicated) || task.Message.VChannels.FirstOrDefault(VChannels.IsControl) is not { } control)
        {
            return null;
        }

        var tick = task.Acks.TryGetValue(control, out var ack) ? ack.TimeTick : 0;
        return tick > 0 || task.State == BroadcastState.Pending ? new CallbackPlace(tick, task.BroadcastId) : null;
    }

    /// <summary>What a complete task does about <paramref name="ahead"/>, the task of a place that was before its own.</summary>
    /// <param name="own">The place of the complete task.</param>
    /// <param name="place">The place that was read.</param>
    /// <param name="ahead">The task as it was read afterwards: its control record may have been acked in between, and stand behind the complete task's.</param>
    /// <param name="holdsLocks">Whether the operation of a task created here holds its locks.</param>
    /// <param name="secondary">Whether this cluster is a secondary.</param>
    public static CallbackAhead Of(CallbackPlace own, CallbackPlace place, BroadcastTask ahead, bool holdsLocks, bool secondary)
    {
        ArgumentNullException.ThrowIfNull(ahead);
        if (PlaceOf(ahead) is not { } now || now > own)
        {
            return CallbackAhead.PassBy;
        }

        return ahead.State switch
        {
            // Others may be before its new place that were not before the one that was read: looking again is safe.
            _ when now != place => CallbackAhead.WaitFor,
            _ when BroadcastRules.AllAcked(ahead) => CallbackAhead.RunFirst,
            BroadcastState.Pending when holdsLocks => CallbackAhead.WaitFor,
            BroadcastState.Replicated when secondary => CallbackAhead.WaitFor,
            _ => CallbackAhead.PassBy,
        };
    }
}
