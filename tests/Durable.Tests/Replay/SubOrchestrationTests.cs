using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class SubOrchestrationTests
{
    private static readonly Orchestrator Parent = new(async context => await context.CallSubOrchestratorAsync<int>("Child", new { N = 1 }));

    [Fact]
    public void A_child_is_asked_for_with_an_instance_id_that_every_replay_makes_again()
    {
        CreateSubOrchestrationAction first = Assert.Single(Parent.FirstTurn(Turn(), Started()).Actions).CreateSubOrchestration;
        CreateSubOrchestrationAction again = Assert.Single(Parent.NextTurn([Turn(), Started()], Turn(5)).Actions).CreateSubOrchestration;
        Assert.Equal(first, again);
        Assert.Equal(("Child", """{"n":1}"""), (first.Name, first.Input));
        Assert.True(Guid.TryParseExact(first.InstanceId, "N", out _));
    }

    [Fact]
    public void A_childs_plain_result_is_the_result()
        => Assert.Equal("42", Parent.NextTurn([Turn(), Started(), ChildCreated(0, "child")], Turn(1), ChildCompleted(0, "42")).Output());

    [Fact]
    public void A_childs_failure_is_the_inner_failure_of_the_parents()
    {
        var details = new Microsoft.DurableTask.Protobuf.TaskFailureDetails { ErrorType = "Boom", ErrorMessage = "the child broke" };
        Microsoft.DurableTask.Protobuf.TaskFailureDetails failure = Parent.NextTurn([Turn(), Started(), ChildCreated(0, "Child")], Turn(1), ChildFailed(0, details)).Failure();
        Assert.Equal(typeof(TaskFailedException).FullName, failure.ErrorType);
        Assert.Equal(("Boom", "the child broke"), (failure.InnerFailure.ErrorType, failure.InnerFailure.ErrorMessage));
    }

    [Fact]
    public void A_terminated_child_fails_without_details()
        => Assert.Equal("Unknown", Parent.NextTurn([Turn(), Started(), ChildCreated(0, "Child")], Turn(1), ChildFailed(0)).Failure().InnerFailure.ErrorType);

    [Theory]
    [InlineData(null)]
    [InlineData("given")]
    public void A_retried_child_keeps_its_id(string? given)
    {
        var options = new SubOrchestrationOptions(new RetryPolicy(2, TimeSpan.FromSeconds(1)), given);
        var orchestrator = new Orchestrator(async context => await context.CallSubOrchestratorAsync<int>("Child", options: options));
        string first = Assert.Single(orchestrator.FirstTurn(Turn(), Started()).Actions).CreateSubOrchestration.InstanceId;
        OrchestratorResponse retry = orchestrator.NextTurn(
            [Turn(), Started(), ChildCreated(0, "Child"), Turn(1), ChildFailed(0), TimerCreated(1)],
            Turn(2),
            TimerFired(1));
        string second = Assert.Single(retry.Actions).CreateSubOrchestration.InstanceId;
        Assert.Equal(given ?? first, first);
        Assert.Equal(first, second);
    }

    [Theory]
    [InlineData("")]
    [InlineData("@counter@1")]
    [InlineData("a/b")]
    public void An_id_that_the_host_would_end_the_parent_for_is_refused_in_the_code(string id)
    {
        var orchestrator = new Orchestrator(async context => await context.CallSubOrchestratorAsync<int>("Child", options: new SubOrchestrationOptions(instanceId: id)));
        OrchestratorResponse response = orchestrator.FirstTurn(Turn(), Started());
        Assert.Equal("System.ArgumentException", response.Failure().ErrorType);
        Assert.Single(response.Actions);
    }
}
