using Baton.Functions.Hosting;

namespace Baton.Functions.Tests.Hosting;

public sealed class OrchestratorSourceTests
{
    // The files of that name are compiled against the official API too, in tests/OfficialAbstractions.
    [Fact]
    public void Every_orchestrator_stands_in_a_file_that_is_proven_against_the_official_api() =>
        Assert.All(
            FunctionCatalog.Scan(typeof(FunctionCatalog).Assembly).Functions.Where(function => function.Trigger is OrchestrationTriggerAttribute),
            function => Assert.EndsWith("Orchestration", function.Method.DeclaringType!.Name, StringComparison.Ordinal));
}
