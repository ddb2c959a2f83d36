using System.CommandLine;
using Baton.Bench.Failover;
using Baton.Bench.Metadata;
using Baton.Bench.Node;
using Baton.Bench.Orchestrations;
using Baton.Bench.Partitions;
using Baton.Bench.Promotion;
using Baton.Bench.Recovery;
using Baton.Bench.Replicas;
using Baton.Bench.Wal;
using Spectre.Console;

if (Console.IsOutputRedirected)
{
    AnsiConsole.Profile.Width = 160;
}

var root = new RootCommand("Measures Baton on this machine, beside the raw calls of the same run. Storage is Azurite, in memory.");
root.Subcommands.Add(WalBench.Command());
root.Subcommands.Add(KilledWritersProof.Command());
root.Subcommands.Add(NodeLoadBench.Command());
root.Subcommands.Add(ReplicaBench.Command());
root.Subcommands.Add(PromotionBench.Command());
root.Subcommands.Add(FailoverBench.Command());
root.Subcommands.Add(RecoveryBench.Command());
root.Subcommands.Add(MetadataBench.Command());
root.Subcommands.Add(MetadataKilledProof.Command());
root.Subcommands.Add(LeadershipBench.Command());
root.Subcommands.Add(RebalanceBench.Command());
root.Subcommands.Add(OrchestrationBench.Command());
root.Subcommands.Add(KilledHostsProof.Command());
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
