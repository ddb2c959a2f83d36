using System.Globalization;
using Baton.KilledWriters;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>Writers in processes of their own, killed by SIGKILL. The bench command <c>wal-killed</c> does the same for as long as you like.</summary>
public sealed class KilledWriterTests(StorageFixture azurite, ITestOutputHelper output) : IClassFixture<StorageFixture>
{
    private static readonly int Kills = Sampled.Count(40, all: 200);

    // A failure names its seed: set BATON_SEED to see it again.
    private static readonly int Seed = int.TryParse(Environment.GetEnvironmentVariable("BATON_SEED"), CultureInfo.InvariantCulture, out var seed)
        ? seed
        : Random.Shared.Next(1_000_000);

    [Fact]
    public async Task Whenever_a_writer_is_killed_what_it_acknowledged_is_there_once_and_whole()
    {
        var tally = new KillTally();
        output.WriteLine($"Seed {Seed}.");

        await new KilledWriterRun(azurite.ConnectionString, Seed, tally).RunAsync(Kills, _ => { }, CancellationToken.None);

        output.WriteLine($"{tally.Kills} kills, {tally.WhileOpening} while opening; {tally.Acknowledged} appends acknowledged, {tally.Unacknowledged} more found, {tally.Records} records; {tally.Segments} segments and {tally.SegmentsAbandoned} abandoned.");
        Assert.True(tally.Problems.Count == 0, string.Join('\n', tally.Problems.Take(20)));
        Assert.Equal(Kills, tally.Kills);
        Assert.True(tally.WhileOpening > 0 && tally.Acknowledged > Kills, $"Seed {Seed}: the kills hit nothing.");
    }
}
