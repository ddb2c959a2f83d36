using System.Globalization;
using Baton.DevHost.Chaos.Rounds;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>The whole story on two clusters of three nodes each, under load: what <c>chaos</c> does for as long as you like, once.</summary>
public sealed class LostPrimaryTests(ITestOutputHelper output)
{
    private static readonly int Seed = int.TryParse(Environment.GetEnvironmentVariable("BATON_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : Random.Shared.Next(1_000_000);

    [Fact]
    public async Task What_a_primary_committed_is_in_its_secondary_which_is_promoted_when_it_dies_and_takes_it_back_as_a_secondary_with_a_list_of_what_only_it_has()
    {
        var folder = Directory.CreateTempSubdirectory("baton-lost-").FullName;

        // A node of the secondary dies shortly before the primary: the channels that it led lag, and there is something to salvage.
        var plan = new RoundPlan(Seed) { NodeOfSecondary = Seed % RoundPlan.Nodes, PrimaryDiesAfter = TimeSpan.FromMilliseconds(Seed % 500) };

        var result = await Round.RunAsync(plan, folder, output.WriteLine, CancellationToken.None);

        output.WriteLine($"seed {Seed}: {string.Join("; ", result.Promotions)}");
        Assert.True(result.Findings.Count == 0, $"BATON_SEED={Seed}\n{string.Join('\n', result.Findings)}");
        Assert.True(Assert.Single(result.Promotions).Messages >= plan.MessagesFirst);
        Directory.Delete(folder, recursive: true);
    }
}
