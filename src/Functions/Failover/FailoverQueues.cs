namespace Baton.Functions.Failover;

/// <summary>The queues of failover and reconciliation. Two, so that no amount of routine work stands before an urgent message.</summary>
internal static class FailoverQueues
{
    /// <summary>Setting that holds the Service Bus connection.</summary>
    public const string Connection = "ServiceBusConnection";

    /// <summary>Nodes that are gone.</summary>
    public const string Urgent = "urgent-failover";

    /// <summary>Messages on <see cref="Urgent"/> that nobody can act on.</summary>
    public const string UrgentDeadLetter = "urgent-failover-deadletter";

    /// <summary>Everything that may wait.</summary>
    public const string Routine = "routine-reconcile";

    /// <summary>Messages on <see cref="Routine"/> that nobody can act on.</summary>
    public const string RoutineDeadLetter = "routine-reconcile-deadletter";
}
