using Baton.Core.Cluster;
using Baton.Functions.Settings;

namespace Baton.Functions.Failover;

/// <summary>When a node counts as gone, and how long a failover may take for its hints.</summary>
/// <param name="HeartbeatTimeout">
/// Silence after which the sweep reports a node: <c>Failover:HeartbeatTimeoutMs</c>, default 3000. Must be several heartbeat intervals of the
/// nodes (500 ms by default), or healthy nodes are moved away from whenever a beat is late.
/// </param>
/// <param name="SuspicionCooldown">
/// How often at most a node is moved away from on a report while its heartbeats keep coming: <c>Failover:SuspicionCooldownMs</c>, default 30000.
/// Holds for suspicions alone; the heartbeat sweep and operators are never held back.
/// </param>
/// <param name="OpenTimeout">The one deadline of all <c>open</c> hints of a failover together: <c>Failover:OpenTimeoutMs</c>, default 250.</param>
internal sealed record FailoverOptions(TimeSpan HeartbeatTimeout, TimeSpan SuspicionCooldown, TimeSpan OpenTimeout)
{
    /// <summary>The defaults.</summary>
    public static FailoverOptions Default { get; } = new(TimeSpan.FromMilliseconds(3_000), FailoverPlanner.DefaultSuspicionCooldown, TimeSpan.FromMilliseconds(250));

    /// <summary>
    /// The age from which on the sweep's report is late. By then a node that lives has beaten again, some heartbeat intervals having passed; a report that is handled when it comes is far
    /// younger. The age is the difference between two instances' clocks: where they disagree by as much, a fresh report costs one read more, or a late one is taken as fresh.
    /// </summary>
    public TimeSpan LateReport => HeartbeatTimeout / 2;

    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is unfit.</exception>
    public static FailoverOptions From(IConfiguration configuration) => new(
        configuration.Milliseconds("Failover:HeartbeatTimeoutMs", byDefault: (int)Default.HeartbeatTimeout.TotalMilliseconds, min: 200, max: 600_000),
        configuration.Milliseconds("Failover:SuspicionCooldownMs", byDefault: (int)Default.SuspicionCooldown.TotalMilliseconds, min: 0, max: 3_600_000),
        configuration.Milliseconds("Failover:OpenTimeoutMs", byDefault: (int)Default.OpenTimeout.TotalMilliseconds, min: 10, max: 10_000));
}
