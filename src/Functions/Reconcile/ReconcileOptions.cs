using Baton.Functions.Settings;

namespace Baton.Functions.Reconcile;

/// <summary>What a pass may spend on one node. All nodes are gone through at once, so a pass lasts about as long as its slowest node.</summary>
/// <param name="ProbeTimeout">
/// How long a node has to answer a probe: <c>Reconcile:ProbeTimeoutMs</c>, default 500. A node that does not is probed up to three times, which opens its circuit; so a dead node costs three of these once, and nothing in the
/// passes after that. Too short, and nodes that are far away or busy are skipped.
/// </param>
/// <param name="CallTimeout">How long it has to take the one order of a pass: <c>Reconcile:CallTimeoutMs</c>, default 1000. It answers before it opens anything.</param>
/// <param name="NodeTimeout">The limit of all calls to one node together: <c>Reconcile:NodeTimeoutMs</c>, default 5000.</param>
internal sealed record ReconcileOptions(TimeSpan ProbeTimeout, TimeSpan CallTimeout, TimeSpan NodeTimeout)
{
    /// <summary>The defaults.</summary>
    public static ReconcileOptions Default { get; } = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromMilliseconds(1_000), TimeSpan.FromMilliseconds(5_000));

    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is unfit.</exception>
    public static ReconcileOptions From(IConfiguration configuration) => new(
        configuration.Milliseconds("Reconcile:ProbeTimeoutMs", byDefault: (int)Default.ProbeTimeout.TotalMilliseconds, min: 10, max: 10_000),
        configuration.Milliseconds("Reconcile:CallTimeoutMs", byDefault: (int)Default.CallTimeout.TotalMilliseconds, min: 10, max: 30_000),
        configuration.Milliseconds("Reconcile:NodeTimeoutMs", byDefault: (int)Default.NodeTimeout.TotalMilliseconds, min: 100, max: 60_000));
}
