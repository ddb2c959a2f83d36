using System.CommandLine;
using Baton.Storage;
using Baton.Storage.Wal;

namespace Baton.Cli.Wal;

/// <summary><c>wal</c>: everything about the logs themselves, read straight from the storage account. Nothing is written.</summary>
internal static class WalCommand
{
    public static Command Create()
    {
        var command = new Command("wal", "Looks at the logs of channels, straight in the storage account. Only reads; the cluster need not run.");
        foreach (var child in new[] { VerifyCommand.Create(), DumpCommand.Create(), HistoryCommand.Create() })
        {
            StorageArguments.AddTo(child);
            command.Subcommands.Add(child);
        }

        return command;
    }

    /// <summary>The manifest of a channel.</summary>
    /// <exception cref="CannotLookException">There is no such channel.</exception>
    public static async Task<WalManifest> ManifestAsync(WalVerifier verifier, string channel, CancellationToken cancellationToken)
    {
        if (!ChannelName.IsValid(channel))
        {
            throw new CannotLookException($"That is no channel's name. {ChannelName.Rule}.", "`baton wal verify` without a name lists all channels.");
        }

        return await verifier.ReadManifestAsync(channel, cancellationToken)
            ?? throw new CannotLookException($"Channel '{channel}' has no log in this account.", "`baton wal verify` without a name lists all channels; check the name and the account.");
    }
}
