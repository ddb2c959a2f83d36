using System.Collections;
using System.Globalization;

namespace Baton.DevHost.FunctionsHost.Timers;

/// <summary>
/// A timer's schedule in UTC: <c>{second} {minute} {hour} {day} {month} {day of week}</c>, or the last five alone. A field is <c>*</c>, a value, a range
/// <c>a-b</c>, each with an optional step <c>/n</c>, or a comma list of those; months and days of the week may be named by their first three letters.
/// A day must match both day fields, as the Functions host has it (unlike Unix cron, which takes either).
/// </summary>
internal sealed class CronSchedule
{
    // 29 February on a given day of the week comes back within 40 years, across a century without a leap day; what is not found by then never comes.
    private const int SearchYears = 41;
    private static readonly string[] Months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    private static readonly string[] Days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

    private readonly BitArray _seconds;
    private readonly BitArray _minutes;
    private readonly BitArray _hours;
    private readonly BitArray _days;
    private readonly BitArray _months;
    private readonly BitArray _weekDays;

    private CronSchedule(string[] fields)
    {
        _seconds = Field("second", fields[0], 0, 59, []);
        _minutes = Field("minute", fields[1], 0, 59, []);
        _hours = Field("hour", fields[2], 0, 23, []);
        _days = Field("day", fields[3], 1, 31, []);
        _months = Field("month", fields[4], 1, 12, Months);
        _weekDays = Field("day of week", fields[5], 0, 6, Days);
    }

    /// <summary>Reads a schedule.</summary>
    /// <exception cref="FormatException">It is none; the message names the field.</exception>
    public static CronSchedule Parse(string text)
    {
        var fields = text.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        return fields.Length switch
        {
            6 => new CronSchedule(fields),
            5 => new CronSchedule(["0", .. fields]),
            _ => throw new FormatException($"a schedule has 6 fields (or 5, without seconds), this one has {fields.Length}."),
        };
    }

    /// <summary>The first due time after <paramref name="after"/>, on a whole second; null when there is none.</summary>
    public DateTimeOffset? Next(DateTimeOffset after)
    {
        var start = after.UtcDateTime;
        var from = new DateTime(start.Year, start.Month, start.Day, start.Hour, start.Minute, start.Second, DateTimeKind.Utc).AddSeconds(1);
        var end = from.Date.AddYears(SearchYears);
        for (var day = from.Date; day < end; day = day.AddDays(1))
        {
            if (!_months[day.Month] || !_days[day.Day] || !_weekDays[(int)day.DayOfWeek])
            {
                continue;
            }

            if (TimeOfDay(day == from.Date ? from.TimeOfDay : TimeSpan.Zero) is { } time)
            {
                return new DateTimeOffset(day + time, TimeSpan.Zero);
            }
        }

        return null;
    }

    /// <summary>Whether two due times after <paramref name="now"/> are less than a minute apart: the real host keeps no status of such a schedule.</summary>
    public bool IsFasterThanAMinute(DateTimeOffset now)
    {
        var previous = Next(now);
        for (var i = 0; i < 5 && previous is not null; i++)
        {
            var next = Next(previous.Value);
            if (next - previous < TimeSpan.FromMinutes(1))
            {
                return true;
            }

            previous = next;
        }

        return false;
    }

    private TimeSpan? TimeOfDay(TimeSpan from)
    {
        for (var hour = from.Hours; hour <= 23; hour++)
        {
            if (!_hours[hour])
            {
                continue;
            }

            for (var minute = hour == from.Hours ? from.Minutes : 0; minute <= 59; minute++)
            {
                if (!_minutes[minute])
                {
                    continue;
                }

                for (var second = hour == from.Hours && minute == from.Minutes ? from.Seconds : 0; second <= 59; second++)
                {
                    if (_seconds[second])
                    {
                        return new TimeSpan(hour, minute, second);
                    }
                }
            }
        }

        return null;
    }

    private static BitArray Field(string name, string text, int min, int max, string[] names)
    {
        var bits = new BitArray(max + 1);
        foreach (var part in text.Split(','))
        {
            var slash = part.Split('/');
            var step = slash.Length switch
            {
                1 => 1,
                2 when int.TryParse(slash[1], NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0 => n,
                _ => throw new FormatException($"the {name} '{part}' has a wrong step."),
            };
            var (from, to) = Range(slash[0], hasStep: slash.Length == 2);
            for (var value = from; value <= to; value += step)
            {
                bits[value] = true;
            }
        }

        return bits;

        (int From, int To) Range(string range, bool hasStep)
        {
            if (string.Equals(range, "*", StringComparison.Ordinal))
            {
                return (min, max);
            }

            var ends = range.Split('-');
            if (ends.Length > 2)
            {
                throw new FormatException($"the {name} '{text}' is no range.");
            }

            var from = Value(ends[0]);
            var to = ends.Length == 2 ? Value(ends[1]) : hasStep ? max : from;
            return from <= to ? (from, to) : throw new FormatException($"the {name} range '{range}' runs backwards.");
        }

        int Value(string value)
        {
            var named = Array.FindIndex(names, n => string.Equals(n, value, StringComparison.OrdinalIgnoreCase));
            if (named >= 0)
            {
                return named + min;
            }

            return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
                ? number
                : throw new FormatException($"the {name} '{value}' is not between {min} and {max}.");
        }
    }
}
