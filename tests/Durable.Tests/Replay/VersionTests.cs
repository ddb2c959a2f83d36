using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class VersionTests
{
    [Fact]
    public void An_instance_knows_its_version_its_parent_and_the_hosts_settings()
    {
        var orchestrator = new Orchestrator(context => Task.FromResult<object?>(
            $"{context.Version} {context.Parent} {string.Join(' ', context.Properties.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}={p.Value}"))}"));
        Assert.Equal(
            "\"1.2 ParentOrchestrationInstance { Name = Above, InstanceId = p1 } IncludeState=True defaultVersion=3\"",
            System.Text.RegularExpressions.Regex.Unescape(orchestrator.Run(Request(Versioned("1.2", parent: true))).Output()!));
    }

    [Fact]
    public void One_that_a_client_started_without_a_version_has_neither()
        => Assert.Equal("true", new Orchestrator(context => Task.FromResult<object?>(context.Parent is null && context.Version.Length == 0)).FirstTurn(Turn(), Started()).Output());

    [Fact]
    public void An_activity_gets_the_version_of_its_orchestration_unless_told_otherwise()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            Task own = context.CallActivityAsync("A");
            Task given = context.CallActivityAsync("B", new TaskOptions { Version = "9" });
            await Task.WhenAll(own, given, context.CallActivityAsync("C", new TaskOptions { Version = TaskVersion.Unversioned }));
            return null;
        });
        Assert.Equal(["1.2", "9", null], orchestrator.Run(Request(Versioned("1.2"))).Actions.Select(a => a.ScheduleTask.Version));
        Assert.Equal([null, "9", null], orchestrator.Run(Request(Started())).Actions.Select(a => a.ScheduleTask.Version));
        Assert.Equal([null, "9", null], orchestrator.Run(Request(Versioned(" "))).Actions.Select(a => a.ScheduleTask.Version));
    }

    [Fact]
    public void A_child_gets_the_hosts_default_version_unless_told_otherwise()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            Task byDefault = context.CallSubOrchestratorAsync("A");
            await Task.WhenAll(byDefault, context.CallSubOrchestratorAsync("B", new SubOrchestrationOptions { Version = "9" }));
            return null;
        });
        Assert.Equal(["3", "9"], orchestrator.Run(Request(Versioned("1.2"))).Actions.Select(a => a.CreateSubOrchestration.Version));
        Assert.Equal([null, "9"], orchestrator.FirstTurn(Turn(), Versioned("1.2")).Actions.Select(a => a.CreateSubOrchestration.Version));
    }

    [Fact]
    public void Tags_are_sent_with_the_action()
    {
        var options = new TaskOptions(tags: new Dictionary<string, string>(StringComparer.Ordinal) { ["team"] = "a" });
        var orchestrator = new Orchestrator(async context =>
        {
            await Task.WhenAll(context.CallActivityAsync("A", 1, options), context.CallSubOrchestratorAsync("B", 1, options.WithInstanceId("b")));
            return null;
        });
        OrchestratorResponse response = orchestrator.FirstTurn(Turn(), Started());
        Assert.Equal("a", response.Actions[0].ScheduleTask.Tags["team"]);
        Assert.Equal(("a", "b"), (response.Actions[1].CreateSubOrchestration.Tags["team"], response.Actions[1].CreateSubOrchestration.InstanceId));
    }

    [Fact]
    public void Options_in_the_place_of_the_input_are_refused()
    {
        object options = new TaskOptions();
        Assert.Contains("where the input belongs", new Orchestrator(async context => await context.CallActivityAsync<int>("A", options)).FirstTurn(Turn(), Started()).Failure().ErrorMessage, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "", 0)]
    [InlineData("", "1", -1)]
    [InlineData("1", "", 1)]
    [InlineData("1.9", "1.10", -1)]
    [InlineData("2.0", "1.10", 1)]
    [InlineData("blue", "BLUE", 0)]
    [InlineData("a", "b", -1)]
    public void Versions_are_compared_as_numbers_where_they_are(string own, string other, int sign)
        => Assert.Equal(
            $"{sign}",
            new Orchestrator(context => Task.FromResult<object?>(Math.Sign(context.CompareVersionTo(other)))).FirstTurn(Turn(), Versioned(own)).Output());

    private static HistoryEvent Versioned(string version, bool parent = false)
    {
        HistoryEvent started = Started();
        started.ExecutionStarted.Version = version;
        started.ExecutionStarted.ParentInstance = parent
            ? new ParentInstanceInfo { TaskScheduledId = 4, Name = "Above", OrchestrationInstance = new OrchestrationInstance { InstanceId = "p1" } }
            : null;
        return started;
    }

    private static OrchestratorRequest Request(HistoryEvent started)
    {
        var request = new OrchestratorRequest { InstanceId = InstanceId, NewEvents = { Turn(), started } };
        request.Properties["defaultVersion"] = Value.ForString("3");
        request.Properties["IncludeState"] = Value.ForBool(true);
        return request;
    }
}
