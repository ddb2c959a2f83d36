using Baton.Functions.Settings;

namespace Baton.Functions.Topology;

/// <summary>How long polls of the route learn of what another instance of the control plane wrote.</summary>
/// <param name="Look">
/// How often the version of the cluster's state is read while somebody waits for a newer one: <c>Route:LookMs</c>, default 25. Adds half of itself, on average, to the time until a gateway sees a
/// failover of another instance; its price is one small read each. What an instance writes itself wakes its polls at once.
/// </param>
internal sealed record LongPollOptions(TimeSpan Look)
{
    /// <summary>The defaults.</summary>
    public static LongPollOptions Default { get; } = new(TimeSpan.FromMilliseconds(25));

    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is unfit.</exception>
    public static LongPollOptions From(IConfiguration configuration) => new(configuration.Milliseconds("Route:LookMs", byDefault: (int)Default.Look.TotalMilliseconds, min: 5, max: 5_000));
}
