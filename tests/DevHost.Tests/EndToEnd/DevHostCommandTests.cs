using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>DevHost's commands, as a user types them.</summary>
public sealed class DevHostCommandTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private readonly string _folder = Directory.CreateTempSubdirectory("baton-devhost-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_demonstration_ends_with_exit_code_0_and_every_observation_as_expected()
    {
        await using var demo = DevHostProcess.Start("demo", "--data", _folder, "--messages", "20");

        await demo.WaitForExitAsync(CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(5));

        Assert.True(demo.ExitCode == 0, demo.LastLines());
        Assert.Contains("observations were as expected", demo.LastLines(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_stops_every_child_a_second_start_finds_the_data_again_and_no_child_outlives_it_when_it_is_killed()
    {
        string[] arguments =
        [
            "--data", _folder,
            "--port", DevHostProcess.FreePort().ToString(CultureInfo.InvariantCulture),
            "--node-port", DevHostProcess.FreePort().ToString(CultureInfo.InvariantCulture),
            "--gateway-port", DevHostProcess.FreePort().ToString(CultureInfo.InvariantCulture),
            "--nodes", "1",
        ];
        await using (var first = DevHostProcess.Start(arguments))
        {
            using var client = await UpAsync(first);
            Assert.Equal(200, (await client.AppendAsync("a-ch0", new([new MessageBody(Encoding.UTF8.GetBytes("kept"))]), CancellationToken.None)).Status);
            var children = DevHostProcess.Descendants(first.Id);
            Assert.True(children.Count >= 5, "Azurite, the host, the function app, a node and the gateway");

            DevHostProcess.Signal(first, "INT");

            await first.WaitForExitAsync(CancellationToken.None).WaitAsync(Patience);
            Assert.Equal(0, first.ExitCode);
            Assert.DoesNotContain(children, DevHostProcess.IsAlive);
        }

        await using var second = DevHostProcess.Start(arguments);
        using var again = await UpAsync(second);
        Assert.Single(await again.ReadAllAsync("a-ch0", Isolation.Committed, CancellationToken.None), m => Encoding.UTF8.GetString(m.Payload) == "kept");
        Assert.Equal(200, (await again.AppendAsync("a-ch0", new([new MessageBody([1])]), CancellationToken.None)).Status);
        var orphans = DevHostProcess.Descendants(second.Id);
        Assert.True(orphans.Count >= 5, "Azurite, the host, the function app, a node and the gateway");

        DevHostProcess.Signal(second, "KILL");

        await second.WaitForExitAsync(CancellationToken.None).WaitAsync(Patience);
        await ClusterClient.UntilAsync("all children are gone", () => Task.FromResult(!orphans.Any(DevHostProcess.IsAlive)), Patience, CancellationToken.None);
    }

    [Fact]
    public async Task A_port_in_use_is_said_with_the_port_its_purpose_and_the_option_and_nothing_is_started()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var untouched = Path.Combine(_folder, "untouched");

        await using var devHost = DevHostProcess.Start("--data", untouched, "--port", port.ToString(CultureInfo.InvariantCulture));
        await devHost.WaitForExitAsync(CancellationToken.None).WaitAsync(Patience);

        Assert.Equal(1, devHost.ExitCode);
        var said = string.Join(' ', devHost.LastLines().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains($"Port {port} (control plane of cluster a) is in use. Stop what listens there, or choose another with --port.", said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(untouched));
    }

    private async Task<ClusterClient> UpAsync(Processes.ChildProcess devHost)
    {
        await devHost.WaitForLineAsync(l => l.Contains("Ctrl-C stops everything", StringComparison.Ordinal), Patience, CancellationToken.None);
        var line = devHost.LastLines().Split('\n').Last(l => l.Contains("control plane", StringComparison.Ordinal) && l.Contains("http://", StringComparison.Ordinal));
        var address = line[line.IndexOf("http://", StringComparison.Ordinal)..].Split("api/")[0];
        return new ClusterClient(new Uri(address), new DataFolder(_folder).Secrets("a"));
    }
}
