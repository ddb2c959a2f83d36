using System.CommandLine;
using Baton.DevHost.Commands;
using Baton.DevHost.Processes;

if (args is [HostCommand.Name])
{
    return await HostCommand.RunAsync();
}

var root = new RootCommand("Runs Baton on this machine. Without a command: one cluster that stays up.");
UpCommand.AddTo(root);
root.Subcommands.Add(DemoCommand.Create());
root.Subcommands.Add(ChaosCommand.Create());
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) }, Lifeline.Watch());
