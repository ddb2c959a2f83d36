using Baton.Core.Recovery;
using Baton.Functions.Settings;

namespace Baton.Functions.Recovery;

/// <summary>What recovery sessions may take.</summary>
/// <param name="Budget">
/// Of one session, in milliseconds, records and bytes: <c>Recovery:MaxDurationMs</c> (600000), <c>Recovery:MaxEntries</c> (0: no bound), <c>Recovery:MaxBytes</c> (0: no bound), <c>Recovery:MaxStallMs</c> (30000).
/// </param>
/// <param name="SessionsAtOnce">Sessions that the sweep keeps under way at most, in the whole cluster: <c>Recovery:SessionsAtOnce</c>, default 100.</param>
/// <param name="StepWait">How long a node may wait before it tells how far a transfer is: <c>Recovery:StepWaitMs</c>, default 200; an activity waits that long, and there are 16 at a time.</param>
/// <param name="Pin">How long the log is kept for a session that is not heard of any more: <c>Recovery:PinMs</c>, default 120000.</param>
/// <param name="MaxRetainedBytes">How much of a log is kept for one replica at most; what lacks more needs a rebuild: <c>Recovery:MaxRetainedBytes</c>, default 0, no bound.</param>
/// <param name="ReadyLag">How many records behind its leader's log a replica may be and still count as in sync: <c>Recovery:ReadyLag</c>, default 10000.</param>
internal sealed record RecoveryOptions(RecoveryBudget Budget, int SessionsAtOnce, TimeSpan StepWait, TimeSpan Pin, long MaxRetainedBytes, long ReadyLag)
{
    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is unfit.</exception>
    public static RecoveryOptions From(IConfiguration configuration) => new(
        new RecoveryBudget(
            (long)configuration.Milliseconds("Recovery:MaxDurationMs", byDefault: 600_000, min: 1_000, max: 86_400_000).TotalMilliseconds,
            configuration.Whole("Recovery:MaxEntries", byDefault: 0L, min: 0L, max: long.MaxValue),
            configuration.Whole("Recovery:MaxBytes", byDefault: 0L, min: 0L, max: long.MaxValue),
            (long)configuration.Milliseconds("Recovery:MaxStallMs", byDefault: 30_000, min: 1_000, max: 3_600_000).TotalMilliseconds),
        configuration.Whole("Recovery:SessionsAtOnce", byDefault: 100, min: 1, max: 10_000),
        configuration.Milliseconds("Recovery:StepWaitMs", byDefault: 200, min: 0, max: 30_000),
        configuration.Milliseconds("Recovery:PinMs", byDefault: 120_000, min: 10_000, max: 3_600_000),
        configuration.Whole("Recovery:MaxRetainedBytes", byDefault: 0L, min: 0L, max: long.MaxValue),
        configuration.Whole("Recovery:ReadyLag", byDefault: 10_000L, min: 0L, max: long.MaxValue));
}
