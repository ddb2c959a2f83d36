using Baton.Core.Broadcasts;

namespace Baton.Core.Replication;

/// <summary>What to do with a change of configuration whose broadcast is complete.</summary>
public enum ConfigArrivalOutcome
{
    /// <summary>Make it the configuration of this cluster, raise the version, and clear the forced flag unless the change is itself forced.</summary>
    Accept,

    /// <summary>It is that already: nothing to write.</summary>
    AlreadyInForce,

    /// <summary>Leave the configuration as it is, and tell the timeline why.</summary>
    Refuse,
}

/// <summary>The decision and, where it is a refusal, its reason.</summary>
public sealed record ConfigArrivalDecision(ConfigArrivalOutcome Outcome, string? Reason = null);

/// <summary>
/// "Never overwritten": a forced configuration must not be undone by what its former primary still sends, and must not lock the
/// cluster either. So what arrives by CDC is refused once this cluster is no secondary, or when it is older than the force; what
/// this cluster decides by itself is accepted and clears the flag (F5, F6).
/// </summary>
public static class ConfigArrival
{
    /// <summary>Decides about <paramref name="message"/>.</summary>
    /// <param name="meta">The stored configuration.</param>
    /// <param name="clusterId">This cluster.</param>
    /// <param name="message">The change.</param>
    /// <param name="sourceTimeTick">Time tick of its record in the source cluster if it came by CDC; null if this cluster made it.</param>
    public static ConfigArrivalDecision Decide(ReplicateConfigurationMeta meta, string clusterId, AlterReplicateConfig message, long? sourceTimeTick)
    {
        ArgumentNullException.ThrowIfNull(meta);
        ArgumentNullException.ThrowIfNull(message);
        if (message.Ignored)
        {
            return Refuse("superseded before it was delivered everywhere: marked ignored");
        }

        // Before the role: a callback that died after its write runs again, and by then a normal switchover has made this cluster primary.
        if (ReplicateEquality.Same(meta.Configuration, message.Configuration))
        {
            return new ConfigArrivalDecision(ConfigArrivalOutcome.AlreadyInForce);
        }

        if (sourceTimeTick is not { } tick)
        {
            return new ConfigArrivalDecision(ConfigArrivalOutcome.Accept);
        }

        if (ReplicateRoles.RoleOf(meta.Configuration, clusterId) != ClusterRole.Secondary)
        {
            return Refuse($"replicated from another cluster, but this cluster is no secondary any more (configuration version {meta.Version})");
        }

        return meta.ForceTimeTick is { } force && tick <= force
            ? Refuse($"replicated from position {tick}, which is older than the forced configuration of {force}")
            : new ConfigArrivalDecision(ConfigArrivalOutcome.Accept);
    }

    private static ConfigArrivalDecision Refuse(string reason) => new(ConfigArrivalOutcome.Refuse, reason);
}
