using System.CommandLine;
using Baton.DevHost.Demo;

namespace Baton.DevHost.Commands;

/// <summary><c>demo</c>: two clusters, the primary dies, the secondary is promoted, every step shown and checked.</summary>
internal static class DemoCommand
{
    private static readonly Option<DirectoryInfo> Data = new("--data") { Description = "Folder for storage, secrets and logs; each run makes a folder of its own in it.", DefaultValueFactory = _ => new DirectoryInfo(Path.Combine(".baton", "demo")) };
    private static readonly Option<int> Messages = new("--messages") { Description = "Messages written to each channel of the primary, 1 to 100000.", DefaultValueFactory = _ => 100 };

    public static Command Create()
    {
        var command = new Command("demo", "Run two clusters, kill the primary, promote the secondary, and check over HTTP what happened.");
        command.Options.Add(Data);
        command.Options.Add(Messages);
        Messages.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is < 1 or > 100_000)
            {
                r.AddError("--messages must be 1 to 100000.");
            }
        });
        command.SetAction((parsed, cancellationToken) => PromotionDemo.RunAsync(parsed.GetValue(Data)!.FullName, parsed.GetValue(Messages), cancellationToken));
        return command;
    }
}
