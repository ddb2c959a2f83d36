using System.Globalization;
using Baton.DevHost.FunctionsHost.Timers;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class CronScheduleTests
{
    [Theory]
    [InlineData("* * * * * *", "2026-01-02T03:04:05.9Z", "2026-01-02T03:04:06Z")]
    [InlineData("*/10 * * * * *", "2026-01-02T03:04:50Z", "2026-01-02T03:05:00Z")]
    [InlineData("0 */5 * * * *", "2026-01-02T03:05:00Z", "2026-01-02T03:10:00Z")]
    [InlineData("*/5 * * * *", "2026-01-02T03:04:00Z", "2026-01-02T03:05:00Z")]
    [InlineData("30 15 9-17 * * Mon-Fri", "2026-01-02T17:15:30Z", "2026-01-05T09:15:30Z")]
    [InlineData("0 0 0 29 Feb *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z")]
    [InlineData("0 0 0 13 * Fri", "2026-01-01T00:00:00Z", "2026-02-13T00:00:00Z")]
    [InlineData("0 0 0 1,15 * *", "2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z")]
    [InlineData("0 10/20 * * * *", "2026-01-01T00:10:00Z", "2026-01-01T00:30:00Z")]
    [InlineData("59 59 23 31 12 *", "2026-12-31T23:59:59Z", "2027-12-31T23:59:59Z")]
    public void The_next_due_time_is_the_first_that_matches_every_field(string schedule, string after, string expected)
    {
        Assert.Equal(At(expected), CronSchedule.Parse(schedule).Next(At(after)));
    }

    [Fact]
    public void A_date_that_never_comes_has_no_due_time()
    {
        Assert.Null(CronSchedule.Parse("0 0 0 30 2 *").Next(At("2026-01-01T00:00:00Z")));
    }

    [Theory]
    [InlineData("*/10 * * * * *", true)]
    [InlineData("0,30 0 * * * *", true)]
    [InlineData("0 * * * * *", false)]
    public void A_schedule_knows_whether_it_runs_more_than_once_a_minute(string schedule, bool expected)
    {
        Assert.Equal(expected, CronSchedule.Parse(schedule).IsFasterThanAMinute(At("2026-01-01T00:00:00Z")));
    }

    [Theory]
    [InlineData("* * *", "fields")]
    [InlineData("60 * * * * *", "second")]
    [InlineData("0 0 0 0 * *", "day")]
    [InlineData("0 0 0 * Foo *", "month")]
    [InlineData("0 0 0 * * 7", "day of week")]
    [InlineData("0 9-5 * * * *", "backwards")]
    [InlineData("0 */0 * * * *", "step")]
    [InlineData("-1 * * * * *", "second")]
    [InlineData("00:00:10", "fields")]
    public void A_wrong_schedule_is_refused_naming_the_field(string schedule, string names)
    {
        Assert.Contains(names, Assert.Throws<FormatException>(() => CronSchedule.Parse(schedule)).Message, StringComparison.Ordinal);
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
