using Baton.DevHost.Orchestrations;
using Baton.DevHost.Tests.Orchestrations;
using Baton.KilledHosts;
using Baton.OrchestrationApp;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>Random programs in the real thing: host and handler are processes, and are killed by SIGKILL. The bench command <c>orchestrations-killed</c> does the same for as long as you like.</summary>
public sealed class KilledHostProgramsTests(AzuriteFixture azurite, ITestOutputHelper output) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Programs_survive_the_kills_of_their_hosts_and_handlers()
    {
        var folder = Directory.CreateTempSubdirectory("baton-programs-").FullName;
        try
        {
            AppFolder.Write(folder);
            foreach (var seed in ProgramSeeds.Draw(2))
            {
                var tally = new BatchTally();
                var options = new MortalHostOptions(folder, azurite.NewAccount(), "Programs");
                await new Batch(options, seed, count: 10, kills: Sampled.Count(2, all: 4), tally).RunAsync(CancellationToken.None);

                output.WriteLine($"Batch {seed}: {tally.Kills} kills, {tally.Activities} activities, {tally.ActivitiesRepeated} of them repeated, {tally.Effects} effects.");
                output.WriteLine($"Killed: {string.Join("; ", tally.Story)}.");
                Assert.True(tally.Mismatches.Count == 0, string.Join('\n', tally.Mismatches));
                await VerifyHistoriesAsync(options, seed);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // An engine of the test's own looks at the hub that the hosts have left.
    private static async Task VerifyHistoriesAsync(MortalHostOptions options, int seed)
    {
        await using var hub = new EngineHub(options.ConnectionString) { Options = new OrchestrationEngineOptions { HubName = options.HubName } };
        var engine = await hub.StartEngineAsync(new ScriptedApp());
        var (instances, _) = await engine.Instances.ListAsync(new InstanceFilter(), top: 1000, showInput: false, continuation: null, CancellationToken.None);
        foreach (var instance in instances)
        {
            var violations = HistoryRules.Violations(instance, await engine.Instances.HistoryAsync(instance.InstanceId, CancellationToken.None));
            Assert.True(!violations.Any(), $"Batch {seed}, instance {instance.InstanceId}: {string.Join(' ', violations)}");
        }
    }
}
