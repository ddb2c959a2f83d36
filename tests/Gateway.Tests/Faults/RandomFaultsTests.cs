using System.Globalization;
using Baton.Gateway.Tests.Harness;

namespace Baton.Gateway.Tests.Faults;

/// <summary>Clients that append one after the other, nodes that fail in every way, leaders that change: no client sees an error, and everything acknowledged is in the log once and in order.</summary>
public sealed class RandomFaultsTests
{
    private const int Clients = 12;
    private const int AppendsEach = 40;
    private const int Moves = 12;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whatever_nodes_do_every_append_is_there_once_and_each_clients_in_their_order(int seed)
    {
        var log = new FencedLog();
        await using var scene = await Scene.StartAsync(("Gateway:AttemptTimeoutMs", "150"));
        FaultyNode[] nodes = [new FaultyNode(scene.First, log, seed), new FaultyNode(scene.Second, log, seed + 1_000)];
        nodes[0].Lead(1);

        var acknowledged = 0;
        var clients = Enumerable.Range(0, Clients).Select(async client =>
        {
            List<long> lsns = [];
            for (var i = 0; i < AppendsEach; i++)
            {
                lsns.Add((await scene.Gateway.AppendAsync("ch", Payload(client, i)).AppendedAsync()).FirstLsn);
                Interlocked.Increment(ref acknowledged);
            }

            return lsns;
        }).ToArray();

        // Each when so much more is acknowledged; now and then the node that is left is killed as well, and comes back.
        var random = new Random(seed);
        for (var term = 2; term < 2 + Moves; term++)
        {
            var until = (term - 1) * Clients * AppendsEach / (Moves + 2);
            await Eventually.HoldsAsync(() => Volatile.Read(ref acknowledged) >= until || Array.Exists(clients, c => c.IsFaulted), $"{until} appends are acknowledged");
            await Task.WhenAll(clients.Where(c => c.IsFaulted));
            var (from, to) = (nodes[term % 2], nodes[(term + 1) % 2]);
            var killed = random.Next(3) == 0;
            if (killed)
            {
                await from.Node.DownAsync();
            }

            to.Lead(term);
            scene.Plane.Lead("ch", to.Node, term);
            if (killed)
            {
                await from.Node.UpAsync();
            }
        }

        var lsns = await Task.WhenAll(clients);
        foreach (var node in nodes)
        {
            node.End();
        }

        var entries = log.Entries;
        for (var client = 0; client < Clients; client++)
        {
            var prefix = $"c{client}-";
            var own = entries.Where(e => Convert.FromBase64String(e.Payload) is var text && System.Text.Encoding.UTF8.GetString(text).StartsWith(prefix, StringComparison.Ordinal)).ToArray();
            Assert.Equal(Enumerable.Range(0, AppendsEach).Select(i => Payload(client, i)), own.Select(e => e.Payload));
            Assert.Equal(lsns[client], own.Select(e => e.Lsn));
        }

        Assert.Equal(Clients * AppendsEach, entries.Count);
    }

    private static string Payload(int client, int number) => Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"c{client}-{number}")));
}
