using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class ClockTests
{
    [Fact]
    public void Time_is_that_of_the_turn_that_is_run_or_replayed()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            List<DateTime> times = [context.CurrentUtcDateTime];
            await context.CallActivityAsync("Work");
            times.Add(context.CurrentUtcDateTime);
            await context.CallActivityAsync("Work");
            times.Add(context.CurrentUtcDateTime);
            Assert.All(times, time => Assert.Equal(DateTimeKind.Utc, time.Kind));
            return times.Select(time => (time - Noon).TotalSeconds);
        });
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "Work"), TurnEnd(), Turn(7), Completed(0, null), Scheduled(1, "Work"), TurnEnd()];
        Assert.Equal("[0,7,9]", orchestrator.NextTurn(past, Turn(9), Completed(1, null)).Output());
    }

    [Fact]
    public void Code_knows_whether_it_is_replayed()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            List<bool> replaying = [context.IsReplaying];
            await context.CallActivityAsync("Work");
            replaying.Add(context.IsReplaying);
            await context.CallActivityAsync("Work");
            replaying.Add(context.IsReplaying);
            return replaying;
        });
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "Work"), Turn(1), Completed(0, null), Scheduled(1, "Work")];
        Assert.Equal("[true,true,false]", orchestrator.NextTurn(past, Turn(2), Completed(1, null)).Output());
    }

    [Fact]
    public void Events_that_only_keep_the_books_change_nothing()
    {
        var orchestrator = new Orchestrator(async context => await context.CallActivityAsync<int>("Work"));
        HistoryEvent[] books =
        [
            new() { EventId = -1, GenericEvent = new() { Data = "x" } },
            new() { EventId = -1, HistoryState = new() },
            new() { EventId = -1, ExecutionRewound = new() { Reason = "by hand" } },
            new() { EventId = -1, ContinueAsNew = new() { Input = "1" } },
            new() { EventId = -1, ExecutionCompleted = new() { Result = "1" } },
            TurnEnd(),
            Started("a second start"),
        ];
        Assert.Equal("5", orchestrator.NextTurn([Turn(), Started(), .. books, Scheduled(0, "Work")], [Turn(1), .. books, Completed(0, 5)]).Output());
    }
}
