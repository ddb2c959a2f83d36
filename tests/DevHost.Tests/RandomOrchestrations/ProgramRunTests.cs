using Baton.DevHost.Orchestrations;
using Baton.DevHost.Tests.Orchestrations;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>Random programs where nothing dies: worker, engine and model agree.</summary>
public sealed class ProgramRunTests(AzuriteFixture azurite, ITestOutputHelper output) : IClassFixture<AzuriteFixture>
{
    private const int Programs = 40;

    [Fact]
    public async Task A_program_that_nothing_disturbs_ends_as_its_model_says()
    {
        var account = azurite.NewAccount();
        var seeds = ProgramSeeds.Draw(Programs);
        output.WriteLine($"Seeds {seeds[0]} to {seeds[^1]}.");
        await Parallel.ForEachAsync(seeds, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (seed, _) =>
        {
            await using var hub = new EngineHub(account) { Options = new OrchestrationEngineOptions { HubName = $"Hub{(uint)seed}" } };
            var program = new ProgramUnderTest(seed, size: 4 + ((int)((uint)seed % 5) * 4));
            var engine = await hub.StartEngineAsync(program.App());
            var end = await program.DriveAsync(engine, CancellationToken.None);
            await program.VerifyAsync(engine, end, "with nothing dying", undisturbed: true);
        });
    }
}
