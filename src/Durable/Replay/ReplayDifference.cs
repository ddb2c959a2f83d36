using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using EventKind = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.Durable.Replay;

/// <summary>
/// An action that the code, replayed, asked for with another input or time than it did the first time. Nothing breaks at once, but
/// the code depends on something that no replay repeats: the wall clock, random values, its environment, or a new version of itself.
/// </summary>
/// <param name="Id">The action's id.</param>
/// <param name="What">What it is.</param>
/// <param name="Recorded">What the history holds, shortened around the difference.</param>
/// <param name="Asked">What the code asks for now, shortened around the difference.</param>
internal sealed record ReplayDifference(int Id, string What, string Recorded, string Asked)
{
    private const int LengthShown = 160;
    private const int ShownBefore = 40;

    // Some storage providers round times; no code reads the clock twice within this.
    private static readonly TimeSpan SameTime = TimeSpan.FromMilliseconds(1);

    /// <summary>The difference, or null. What a history leaves out is taken as equal.</summary>
    public static ReplayDifference? Between(HistoryEvent recorded, OrchestratorAction asked) => recorded.EventTypeCase switch
    {
        EventKind.TaskScheduled => OfText(asked, $"input of activity '{asked.ScheduleTask.Name}'", recorded.TaskScheduled.Input, asked.ScheduleTask.Input),
        EventKind.SubOrchestrationInstanceCreated => OfText(
            asked,
            $"input of sub-orchestration '{asked.CreateSubOrchestration.Name}'",
            recorded.SubOrchestrationInstanceCreated.Input,
            asked.CreateSubOrchestration.Input),
        EventKind.EventSent => OfText(asked, $"payload of event '{asked.SendEvent.Name}'", recorded.EventSent.Input, asked.SendEvent.Data),
        EventKind.TimerCreated => OfTime(asked, recorded.TimerCreated.FireAt, asked.CreateTimer.FireAt),
        _ => null,
    };

    private static ReplayDifference? OfText(OrchestratorAction action, FormattableString what, string? recorded, string? asked)
    {
        if (recorded is null || string.Equals(recorded, asked, StringComparison.Ordinal))
        {
            return null;
        }

        int start = Math.Max(0, recorded.AsSpan().CommonPrefixLength(asked) - ShownBefore);
        return new ReplayDifference(action.Id, what.ToString(CultureInfo.InvariantCulture), Excerpt(recorded, start), Excerpt(asked, start));
    }

    private static ReplayDifference? OfTime(OrchestratorAction action, Timestamp? recorded, Timestamp asked)
        => recorded is null || (recorded.ToDateTime() - asked.ToDateTime()).Duration() < SameTime
            ? null
            : new ReplayDifference(action.Id, "time of a timer", Text(recorded), Text(asked));

    private static string Text(Timestamp time) => time.ToDateTime().ToString("o", CultureInfo.InvariantCulture);

    private static string Excerpt(string? text, int start)
    {
        if (text is null)
        {
            return "(none)";
        }

        string from = start > 0 ? "…" : string.Empty;
        return text.Length - start <= LengthShown ? from + text[start..] : $"{from}{text.AsSpan(start, LengthShown)}…";
    }
}
