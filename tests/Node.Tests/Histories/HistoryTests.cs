using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Histories;

/// <summary>
/// Random histories of writes, transactions, expiry, configuration, restart and takeover against a model of a few lists: what is answered, and what readers
/// of both isolations see, is what the model says.
/// </summary>
public sealed class HistoryTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public Task Any_history_over_a_log_in_memory_reads_as_the_model_says() =>
        HistorySeeds.TryAsync(count: 3_000, longest: 60, shortenings: 5_000, history => HistoryRun.RunAsync(new LogInMemory(), history));

    [Fact]
    public async Task Any_history_of_two_nodes_reads_as_the_model_says()
    {
        await using var nodes = await HistoryNodes.StartAsync(fixture);
        await HistorySeeds.TryAsync(count: 30, longest: 40, shortenings: 100, async history =>
        {
            await nodes.NewChannelAsync();
            await HistoryRun.RunAsync(nodes, history);
        });
    }
}
