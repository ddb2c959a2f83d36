using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class CustomStatusTests
{
    private static readonly Orchestrator Reports = new(async context =>
    {
        context.SetCustomStatus(new { Step = 1 });
        await context.CallActivityAsync("Work");
        context.SetCustomStatus("Grüße");
        await context.CallActivityAsync("Work");
        context.SetCustomStatus(null);
        return null;
    });

    [Fact]
    public void The_last_one_set_is_sent_with_every_turn_as_json()
    {
        Assert.Equal("""{"step":1}""", Reports.FirstTurn(Turn(), Started()).CustomStatus);
        Assert.Equal("""{"step":1}""", Reports.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1)).CustomStatus);
        string status = Reports.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Completed(0, null)).CustomStatus;
        Assert.Equal("Grüße", System.Text.Json.JsonSerializer.Deserialize<string>(status));
    }

    [Fact]
    public void Null_clears_it()
        => Assert.Null(Reports.NextTurn([Turn(), Started(), Scheduled(0, "Work"), Turn(1), Completed(0, null), Scheduled(1, "Work")], Turn(2), Completed(1, null)).CustomStatus);

    [Fact]
    public void It_stays_when_the_orchestration_fails_or_is_terminated()
    {
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "Work")];
        Assert.Equal("""{"step":1}""", Reports.NextTurn(past, Turn(1), Failed(0)).CustomStatus);
        Assert.Equal("""{"step":1}""", Reports.NextTurn(past, Turn(1), Terminated()).CustomStatus);
    }

    [Theory]
    [InlineData(8190, false)]
    [InlineData(8191, true)]
    public void One_that_the_host_would_end_the_instance_for_is_refused_in_the_code(int length, bool refused)
    {
        var orchestrator = new Orchestrator(context =>
        {
            context.SetCustomStatus("short");
            Exception? refusal = Record.Exception(() => context.SetCustomStatus(new string('x', length)));
            return Task.FromResult<object?>(refusal?.GetType().Name);
        });
        OrchestratorResponse response = orchestrator.FirstTurn(Turn(), Started());
        Assert.Equal(refused ? "\"ArgumentException\"" : null, response.Output());
        Assert.Equal(refused ? "\"short\"".Length : 8192, response.CustomStatus.Length);
    }
}
