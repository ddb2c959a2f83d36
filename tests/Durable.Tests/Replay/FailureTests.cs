using Baton.Core.Api;
using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;
using ProtocolDetails = Microsoft.DurableTask.Protobuf.TaskFailureDetails;

namespace Baton.Durable.Tests.Replay;

public sealed class FailureTests
{
#pragma warning disable CA2201 // Made by hand, since nobody wants to run out of memory for a test.
    private static readonly Exception OutOfMemory = new OutOfMemoryException("too big");
#pragma warning restore CA2201

    private static readonly HistoryEvent[] Calling = [Turn(), Started(), Scheduled(0, "Work")];
    private static readonly Orchestrator CallsWork = new(async context => await context.CallActivityAsync<int>("Work"));

    [Fact]
    public void An_exception_of_the_code_fails_the_orchestration_with_type_message_stack_and_cause()
    {
        var orchestrator = new Orchestrator(_ => throw new InvalidOperationException("no way", new FormatException("bad digit")));
        ProtocolDetails failure = orchestrator.FirstTurn(Turn(), Started()).Failure();
        Assert.Equal(("System.InvalidOperationException", "no way"), (failure.ErrorType, failure.ErrorMessage));
        Assert.Contains(nameof(FailureTests), failure.StackTrace, StringComparison.Ordinal);
        Assert.Equal(("System.FormatException", "bad digit"), (failure.InnerFailure.ErrorType, failure.InnerFailure.ErrorMessage));
    }

    [Fact]
    public void An_activitys_exception_arrives_with_the_details_of_its_envelope()
    {
        ProtocolDetails failure = CallsWork.NextTurn(Calling, Turn(1), Threw(0, new ApiException(ApiErrorCode.Conflict, "lock held"))).Failure();
        Assert.Equal(typeof(TaskFailedException).FullName, failure.ErrorType);
        Assert.Equal("Task 'Work' (#0) failed: lock held", failure.ErrorMessage);
        Assert.Equal((typeof(ApiException).FullName, "lock held"), (failure.InnerFailure.ErrorType, failure.InnerFailure.ErrorMessage));
        Assert.Equal("Conflict", failure.InnerFailure.Properties["apiCode"].StringValue);
    }

    [Fact]
    public void The_code_can_catch_a_failure_and_read_the_api_error_in_it()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            try
            {
                return await context.CallActivityAsync<int>("Work");
            }
            catch (TaskFailedException failed) when (failed.FailureDetails.ToApiError() is { } error)
            {
                return $"{failed.TaskName} {failed.TaskId} {error.Code} {error.Detail} {failed.FailureDetails.IsCausedBy<ApiException>()}";
            }
        });
        Assert.Equal("\"Work 0 Conflict lock held True\"", orchestrator.NextTurn(Calling, Turn(1), Threw(0, new ApiException(ApiErrorCode.Conflict, "lock held"))).Output());
    }

    [Fact]
    public void A_childs_api_error_is_found_through_the_protocol()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            try
            {
                return await context.CallSubOrchestratorAsync<int>("Child");
            }
            catch (TaskFailedException failed)
            {
                return failed.FailureDetails.ToApiError()?.Code.ToString();
            }
        });
        ProtocolDetails childs = CallsWork.NextTurn(Calling, Turn(1), Threw(0, new ApiException(ApiErrorCode.NotLeader, "not here"))).Failure();
        Assert.Equal("\"NotLeader\"", orchestrator.NextTurn([Turn(), Started(), ChildCreated(0, "Child")], Turn(1), ChildFailed(0, childs)).Output());
    }

    [Fact]
    public void A_failure_reported_by_the_host_arrives_with_its_details_or_without()
    {
        var details = new ProtocolDetails
        {
            ErrorType = "Microsoft.Azure.WebJobs.Host.FunctionInvocationException",
            ErrorMessage = "Exception while executing function: Functions.Work",
            InnerFailure = new ProtocolDetails { ErrorType = "System.Net.Http.HttpRequestException", ErrorMessage = "500" },
        };
        Assert.Equal(details.ErrorMessage, CallsWork.NextTurn(Calling, Turn(1), Failed(0, details)).Failure().InnerFailure.ErrorMessage);
        Assert.Equal("500", CallsWork.NextTurn(Calling, Turn(1), Failed(0, details)).Failure().InnerFailure.InnerFailure.ErrorMessage);
        Assert.Contains("without details", CallsWork.NextTurn(Calling, Turn(1), Failed(0)).Failure().InnerFailure.ErrorMessage, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("{}")]
    [InlineData("{\"ok\":\"five\"}")]
    [InlineData("{\"failed\":null}")]
    [InlineData("not json")]
    public void An_answer_that_is_no_envelope_fails_the_task(string? answer)
    {
        ProtocolDetails failure = CallsWork.NextTurn(Calling, Turn(1), CompletedRaw(0, answer)).Failure();
        Assert.Equal(typeof(TaskFailedException).FullName, failure.ErrorType);
        Assert.Contains("no activity envelope", failure.InnerFailure.ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_orchestrator_fails_naming_it()
        => Assert.Contains("'Elsewhere'", CallsWork.FirstTurn(Turn(), Started(name: "Elsewhere")).Failure().ErrorMessage, StringComparison.Ordinal);

    [Fact]
    public void A_result_without_a_json_form_fails_the_orchestration()
        => Assert.Equal("System.NotSupportedException", new Orchestrator(_ => Task.FromResult<object?>(typeof(int))).FirstTurn(Turn(), Started()).Failure().ErrorType);

    [Fact]
    public void A_cancelled_orchestrator_has_failed()
        => Assert.Equal(typeof(TaskCanceledException).FullName, new Orchestrator(_ => Task.FromCanceled<object?>(new CancellationToken(canceled: true))).FirstTurn(Turn(), Started()).Failure().ErrorType);

    [Fact]
    public void A_turn_that_runs_out_of_memory_asks_the_host_to_run_it_again()
        => new Orchestrator(_ => Task.FromException<object?>(OutOfMemory)).FirstTurn(Turn(), Started()).AsksForTheSameTurnAgain();

    [Fact]
    public void An_activity_that_ran_out_of_memory_does_not()
    {
        ProtocolDetails failure = CallsWork.NextTurn(Calling, Turn(1), Threw(0, OutOfMemory)).Failure();
        Assert.Equal("OutOfMemoryException", failure.InnerFailure.ErrorType);
        Assert.Equal("too big", failure.InnerFailure.ErrorMessage);
    }

    [Fact]
    public void Details_are_bounded()
    {
        Exception deep = new InvalidOperationException(new string('x', 1_000_000));
        for (int i = 0; i < 100; i++)
        {
            deep = new InvalidOperationException(new string('x', 1_000_000), deep);
        }

        int depth = 0;
        for (TaskFailureDetails? details = TaskFailureDetails.FromException(deep); details is not null; details = details.InnerFailure, depth++)
        {
            Assert.InRange(details.ErrorMessage.Length, 1, 8_193);
        }

        Assert.Equal(9, depth);
    }

    [Fact]
    public void A_failure_keeps_its_types_and_causes_up_through_three_levels()
    {
        var calls = new Orchestrator(async context => await context.CallSubOrchestratorAsync<int>("Child"));
        ProtocolDetails lowest = CallsWork.NextTurn(Calling, Turn(1), Threw(0, new ApiException(ApiErrorCode.Conflict, "lock held"))).Failure();
        ProtocolDetails middle = calls.NextTurn([Turn(), Started(), ChildCreated(0, "Child")], Turn(1), ChildFailed(0, lowest)).Failure();
        ProtocolDetails top = calls.NextTurn([Turn(), Started(), ChildCreated(0, "Child")], Turn(1), ChildFailed(0, middle)).Failure();

        string taskFailed = typeof(TaskFailedException).FullName!;
        Assert.Equal([taskFailed, taskFailed, taskFailed, typeof(ApiException).FullName!], Causes(top).Select(cause => cause.ErrorType));
        Assert.Equal("lock held", Causes(top).Last().ErrorMessage);
        Assert.Equal("Conflict", Causes(top).Last().Properties["apiCode"].StringValue);

        static IEnumerable<ProtocolDetails> Causes(ProtocolDetails? details)
        {
            for (; details is not null; details = details.InnerFailure)
            {
                yield return details;
            }
        }
    }

    [Fact]
    public void Properties_of_every_kind_pass_from_child_to_parent()
    {
        var details = new ProtocolDetails { ErrorType = "E", ErrorMessage = "m" };
        details.Properties["all"] = Google.Protobuf.WellKnownTypes.Value.Parser.ParseJson("""{"text":"x","number":1.5,"flag":true,"none":null,"list":[1,"a"]}""");
        var calls = new Orchestrator(async context => await context.CallSubOrchestratorAsync<int>("Child"));
        ProtocolDetails failure = calls.NextTurn([Turn(), Started(), ChildCreated(0, "Child")], Turn(1), ChildFailed(0, details)).Failure();
        Assert.Equal(details.Properties, failure.InnerFailure.Properties);
    }
}
