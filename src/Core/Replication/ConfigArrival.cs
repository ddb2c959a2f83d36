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

/// <summary>Where a configuration that came by replication was made.</summary>
/// <param name="ClusterId">The cluster.</param>
/// <param name="TimeTick">The highest time tick of its records there, by that cluster's clock; 0 where it is not known.</param>
public sealed record ConfigOrigin(string ClusterId, long TimeTick);

/// <summary>The decision and, where it is a refusal, its reason.</summary>
public sealed record ConfigArrivalDecision(ConfigArrivalOutcome Outcome, string? Reason = null);

/// <summary>
/// "Never overwritten": a forced configuration must not be undone by what its former primary still sends, and must not lock the
/// cluster either. So what arrives by CDC is refused once this cluster is no secondary, or when it is older than the force; what
/// this cluster decides by itself is accepted and clears the flag (F5, F6).
/// <para>
/// "Older" is told by the source's clock alone: the clocks of two clusters say nothing about each other. What the source made after the last record that had been taken over from it at the force has a higher tick than
/// that on the same channel, since ticks ascend there; what it made before has not.
/// </para>
/// </summary>
public static class ConfigArrival
{
    /// <summary>Decides about <paramref name="message"/>.</summary>
    /// <param name="meta">The stored configuration.</param>
    /// <param name="clusterId">This cluster.</param>
    /// <param name="message">The change.</param>
    /// <param name="origin">Where it came from by CDC; null if this cluster made it.</param>
    public static ConfigArrivalDecision Decide(ReplicateConfigurationMeta meta, string clusterId, AlterReplicateConfig message, ConfigOrigin? origin)
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

        if (origin is null)
        {
            return new ConfigArrivalDecision(ConfigArrivalOutcome.Accept);
        }

        // The first configuration may come from the cluster that it makes the source, as a channel's first may.
        if (meta.Configuration is null)
        {
            return string.Equals(ReplicateRoles.SourceOf(message.Configuration, clusterId), origin.ClusterId, StringComparison.Ordinal)
                ? new ConfigArrivalDecision(ConfigArrivalOutcome.Accept)
                : Refuse($"replicated from cluster {origin.ClusterId}, which it does not make the source of this cluster");
        }

        if (ReplicateRoles.RoleOf(meta.Configuration, clusterId) != ClusterRole.Secondary)
        {
            return Refuse($"replicated from another cluster, but this cluster is no secondary any more (configuration version {meta.Version})");
        }

        return meta.Left is { } left && string.Equals(left.ClusterId, origin.ClusterId, StringComparison.Ordinal) && origin.TimeTick <= left.TakenTimeTick
            ? Refuse($"replicated from position {origin.TimeTick} of cluster {origin.ClusterId}, which is not behind {left.TakenTimeTick}, where the forced promotion left it")
            : new ConfigArrivalDecision(ConfigArrivalOutcome.Accept);
    }

    private static ConfigArrivalDecision Refuse(string reason) => new(ConfigArrivalOutcome.Refuse, reason);
}
