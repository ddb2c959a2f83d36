using System.Globalization;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class NewGuidTests
{
    private static readonly Orchestrator MakesIds = new(async context =>
    {
        Guid first = context.NewGuid();
        Guid second = context.NewGuid();
        await context.CallActivityAsync("Work");
        return new[] { first, second, context.NewGuid() };
    });

    [Fact]
    public void The_first_id_is_that_of_the_platforms_dotnet_worker()
    {
        var time = DateTime.Parse("2026-01-02T03:04:05.678Z", CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind);
        var orchestrator = new Orchestrator(context => Task.FromResult<object?>(context.NewGuid()));
        Assert.Equal("\"f391df07-14f3-52e4-a459-715ba1236e1b\"", orchestrator.FirstTurn(Turn(time), Started()).Output());
    }

    [Fact]
    public void Ids_differ_from_each_other_and_are_the_same_in_every_replay()
    {
        string once = MakesIds.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Completed(0, null)).Output()!;
        string again = MakesIds.NextTurn([Turn(), Started(), Scheduled(0, "Work"), Turn(1), Completed(0, null)], Turn(2)).Output()!;
        Assert.Equal(once, again);
        Assert.Equal(3, System.Text.Json.JsonSerializer.Deserialize<Guid[]>(once)!.Distinct().Count());
    }
}
