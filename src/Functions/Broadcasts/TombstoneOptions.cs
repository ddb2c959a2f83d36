using Baton.Functions.Settings;

namespace Baton.Functions.Broadcasts;

/// <summary>How long ended broadcasts are kept.</summary>
/// <param name="MaxAge">
/// <c>Broadcasts:TombstoneMaxAgeMinutes</c>, default 1440. For so long the same request with the same <c>broadcastId</c> is answered with its task.
/// </param>
/// <param name="MaxCount"><c>Broadcasts:TombstoneMaxCount</c>, default 10000. More go, oldest first; each costs a row.</param>
internal sealed record TombstoneOptions(TimeSpan MaxAge, int MaxCount)
{
    /// <summary>
    /// No tombstone goes before: longer than a function may run (host.json, functionTimeout), so that whoever looked for a task when it was not there yet is gone
    /// when its tombstone is.
    /// </summary>
    public static readonly TimeSpan LeastAge = TimeSpan.FromMinutes(15);

    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is unfit.</exception>
    public static TombstoneOptions From(IConfiguration configuration) => new(
        TimeSpan.FromMinutes(configuration.Whole("Broadcasts:TombstoneMaxAgeMinutes", byDefault: 1_440, min: 15, max: 525_600)),
        configuration.Whole("Broadcasts:TombstoneMaxCount", byDefault: 10_000, min: 0, max: 1_000_000));
}
