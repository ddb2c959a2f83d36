using System.CommandLine;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.DevHost.Clusters;
using Spectre.Console;

namespace Baton.DevHost.Commands;

/// <summary>No arguments: one cluster that stays up until Ctrl-C, with its data kept.</summary>
internal static class UpCommand
{
    private static readonly Option<DirectoryInfo> Data = new("--data") { Description = "Folder for storage, secrets and logs.", DefaultValueFactory = _ => new DirectoryInfo(Path.Combine(".baton", "data")) };
    private static readonly Option<string> ClusterId = new("--cluster") { Description = "Id of the cluster.", DefaultValueFactory = _ => "a" };
    private static readonly Option<int> Port = new("--port") { Description = "Port of the control plane.", DefaultValueFactory = _ => 7071 };
    private static readonly Option<int> NodePort = new("--node-port") { Description = "Port of the first node; the others follow.", DefaultValueFactory = _ => 7301 };
    private static readonly Option<int> GatewayPort = new("--gateway-port") { Description = "Port of the gateway, the one address that clients need.", DefaultValueFactory = _ => 7200 };
    private static readonly Option<int> Nodes = new("--nodes") { Description = "Number of nodes, 1 to 16.", DefaultValueFactory = _ => 2 };
    private static readonly Option<int> Copies = new("--copies") { Description = "Copies of each channel, the leader's included, 1 to 7; never more than there are nodes.", DefaultValueFactory = _ => 2 };
    private static readonly Option<int> Channels = new("--channels") { Description = "Number of channels, 1 to 256.", DefaultValueFactory = _ => 2 };

    public static void AddTo(Command command)
    {
        foreach (Option option in new Option[] { Data, ClusterId, Port, NodePort, GatewayPort, Nodes, Channels, Copies })
        {
            command.Options.Add(option);
        }

        Nodes.Validators.Add(r => Range(r, 1, 16));
        Channels.Validators.Add(r => Range(r, 1, 256));
        Copies.Validators.Add(r => Range(r, 1, PartitionInitializer.MaxReplicationFactor));
        Port.Validators.Add(r => Range(r, 1, 65_535));
        GatewayPort.Validators.Add(r => Range(r, 1, 65_535));
        NodePort.Validators.Add(r => Range(r, 1, 65_535 - 16));
        ClusterId.Validators.Add(r =>
        {
            if (!Names.IsValidId(r.GetValueOrDefault<string>()))
            {
                r.AddError("--cluster must be 1 to 63 small letters, digits, dots, dashes or underscores, and begin with a letter or digit.");
            }
        });
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetValue(Data)!.FullName,
            parsed.GetValue(ClusterId)!,
            options => options with
            {
                ControlPlanePort = parsed.GetValue(Port),
                FirstNodePort = parsed.GetValue(NodePort),
                GatewayPort = parsed.GetValue(GatewayPort),
                Nodes = parsed.GetValue(Nodes),
                Channels = parsed.GetValue(Channels),
                ReplicationFactor = parsed.GetValue(Copies),
            },
            [
                new WantedPort(parsed.GetValue(Port), $"control plane of cluster {parsed.GetValue(ClusterId)}", "--port"),
                new WantedPort(parsed.GetValue(GatewayPort), $"gateway of cluster {parsed.GetValue(ClusterId)}", "--gateway-port"),
                .. Enumerable.Range(0, parsed.GetValue(Nodes)).Select(i => new WantedPort(parsed.GetValue(NodePort) + i, $"node {i + 1} of cluster {parsed.GetValue(ClusterId)}", "--node-port")),
            ],
            cancellationToken));
    }

    private static void Range(System.CommandLine.Parsing.OptionResult result, int least, int most)
    {
        var value = result.GetValueOrDefault<int>();
        if (value < least || value > most)
        {
            result.AddError($"{result.Option.Name} must be {least} to {most}, got {value}.");
        }
    }

    private static async Task<int> RunAsync(
        string data, string clusterId, Func<LocalClusterOptions, LocalClusterOptions> configure, IReadOnlyList<WantedPort> ports, CancellationToken cancellationToken)
    {
        try
        {
            WantedPort.EnsureFree(ports);
            Terminal.Console.MarkupLine($"[grey]Starting cluster {clusterId}; data in {Markup.Escape(data)}[/]");
            await using var machine = await LocalMachine.StartAsync(data, [clusterId], keepData: true, cancellationToken);
            var cluster = await machine.StartClusterAsync(clusterId, configure, cancellationToken);
            await PrintAsync(cluster, new DataFolder(data), cancellationToken);
            try
            {
                await cluster.WaitForControlPlaneExitAsync(cancellationToken);
                Terminal.Console.MarkupLine($"[red]The control plane has ended.[/] Its log is in {Markup.Escape(Path.Combine(data, "logs"))}.");
                return 1;
            }
            catch (OperationCanceledException)
            {
                Terminal.Console.MarkupLine("[grey]Stopping…[/]");
                return 0;
            }
        }
        catch (OperationCanceledException)
        {
            return 0;
        }
        catch (Exception e) when (e is PortInUseException or DataFolderInUseException or InvalidOperationException or TimeoutException or IOException or ApiAnswerException)
        {
            Terminal.Console.MarkupLine($"[red]Baton did not start.[/] {Markup.Escape(e.Message)}");
            return 1;
        }
    }

    private static async Task PrintAsync(LocalCluster cluster, DataFolder data, CancellationToken cancellationToken)
    {
        var topology = await cluster.Client.TopologyAsync(cancellationToken);
        var table = new Table().Border(TableBorder.Rounded).AddColumns("what", "where");
        table.AddRow("control plane", $"{cluster.ControlPlane}api/");
        table.AddRow("gateway, for clients", $"{cluster.Gateway}");
        foreach (var node in topology.Nodes)
        {
            table.AddRow($"node {node.NodeId}", $"{node.Endpoint}");
        }

        foreach (var channel in topology.Channels)
        {
            table.AddRow($"channel {channel.Name}", $"led by {channel.Leader ?? "nobody"}, term {channel.Term}{Followers(channel)}");
        }

        table.AddRow("secrets", Markup.Escape(data.SecretsFile(cluster.ClusterId)));
        table.AddRow("logs", Markup.Escape(data.Logs));
        Terminal.Console.Write(table);
        Terminal.Console.MarkupLine("Try it:");
        var secrets = data.SecretsFile(cluster.ClusterId);
        Terminal.Console.WriteLine($"  KEY=$({SecretOf(secrets, "functionKey")})");
        Terminal.Console.WriteLine($"  curl -H \"x-functions-key: $KEY\" {cluster.ControlPlane}api/topology");
        Terminal.Console.WriteLine($"  CLIENT=$({SecretOf(secrets, "clientSecret")})");
        Terminal.Console.WriteLine($$"""  curl -H "Authorization: Bearer $CLIENT" -H "Content-Type: application/json" -d '{"messages": [{"payload": "aGVsbG8="}]}' {{cluster.Gateway}}channels/{{cluster.Channels[0]}}/messages""");
        Terminal.Console.WriteLine($"  curl -H \"Authorization: Bearer $CLIENT\" \"{cluster.Gateway}channels/{cluster.Channels[0]}/messages?from=1\"");
        Terminal.Console.MarkupLine("[grey]Ctrl-C stops everything; the data stays.[/]");
    }

    private static string SecretOf(string file, string name) => $"sed -n 's/.*\"{name}\":\"\\([^\"]*\\)\".*/\\1/p' {file}";

    private static string Followers(ChannelView channel) =>
        channel.Replicas.Count == 0 ? "" : $"; followed by {string.Join(", ", channel.Replicas.Select(r => r.NodeId))}";
}
