using System.Globalization;

namespace Baton.Storage.Tests.Wal.Interleaving;

/// <summary>
/// Writers that open, append, roll, snapshot and trim, readers with and without a pin, and a sweeper, interleaved call by call on the model of the storage service, with calls
/// lost, delayed and callers killed. One number is one schedule: a failure names it, and it happens again.
/// </summary>
public sealed class WalInterleavingTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_the_order_of_the_calls_acknowledged_records_stay_and_no_record_comes_twice(int block)
    {
        // BATON_SCHEDULES=100000 for a long run.
        var schedules = int.TryParse(Environment.GetEnvironmentVariable("BATON_SCHEDULES"), NumberStyles.None, CultureInfo.InvariantCulture, out var wanted) ? wanted : 250;
        var (trimmed, swept) = (0, 0);
        for (var seed = block * schedules; seed < (block + 1) * schedules; seed++)
        {
            var run = new LogSchedule(seed);
            try
            {
                run.Execute();
            }
            catch (Exception failure)
            {
                throw new InvalidOperationException($"Schedule {seed}: {failure.Message}\n{string.Join('\n', run.Trace)}", failure);
            }

            trimmed += run.FirstLsn > 1 ? 1 : 0;
            swept += run.Swept > 0 ? 1 : 0;
        }

        // What never happens proves nothing.
        Assert.True(trimmed > schedules / 20 && swept > schedules / 20, $"of {schedules} schedules {trimmed} trimmed and {swept} swept");
    }
}
