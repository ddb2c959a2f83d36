using System.CommandLine;
using System.Globalization;
using Baton.Cli.Text;
using Baton.Storage.Wal;
using Spectre.Console;

namespace Baton.Cli.Wal;

/// <summary><c>wal verify</c>: reads whole logs and reports everything that is wrong with them.</summary>
internal static class VerifyCommand
{
    private static readonly TimeSpan ProgressEvery = TimeSpan.FromSeconds(1);
    private static readonly Argument<string[]> Channels = new("channel") { Description = "Channels to verify; all of the account without one.", Arity = ArgumentArity.ZeroOrMore };

    public static Command Create()
    {
        var command = new Command("verify", "Read every byte of the logs and report everything that is wrong. Exit code: 0 clean, 1 damage, 2 could not look.");
        command.Arguments.Add(Channels);
        command.SetAction((parsed, cancellationToken) => ExitCode.OfAsync(() => RunAsync(parsed, cancellationToken)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var verifier = StorageArguments.Open(parsed);
        var manifests = await ManifestsAsync(verifier, parsed.GetValue(Channels) ?? [], cancellationToken);
        var (code, left) = (ExitCode.Clean, manifests.Count);
        return await Output.ToAsync(
            async output =>
            {
                foreach (var manifest in manifests)
                {
                    var found = await verifier.VerifyAsync(manifest, Progress(manifest.Channel), cancellationToken);
                    (code, left) = (found.Clean ? code : ExitCode.Damaged, left - 1);
                    Print(output, found);
                }

                return code;
            },
            () => code == ExitCode.Clean && left > 0 ? ExitCode.CannotLook : code);
    }

    // All are looked up before the first is read: a wrong name is told at once, not after an hour.
    private static async Task<IReadOnlyList<WalManifest>> ManifestsAsync(WalVerifier verifier, string[] wanted, CancellationToken cancellationToken)
    {
        var channels = wanted.Length > 0 ? wanted.Distinct(StringComparer.Ordinal) : await verifier.ListChannelsAsync(cancellationToken);
        var manifests = new List<WalManifest>();
        foreach (var channel in channels)
        {
            manifests.Add(await WalCommand.ManifestAsync(verifier, channel, cancellationToken));
        }

        return manifests.Count > 0 ? manifests : throw new CannotLookException("No channel has a log in this account.", "Is it the right account? Channels appear when a node first opens them.");
    }

    private static void Print(Output output, WalVerification found)
    {
        var manifest = found.Manifest;
        var table = new Table().Border(TableBorder.Rounded).AddColumns("channel", "term", "segments", "batches", "records", "bytes", "readable LSNs", "result");
        table.AddRow(
            Markup.Escape(Printable.Escape(manifest.Channel)),
            Number(manifest.Term),
            Number(manifest.Segments.Count),
            Number(found.Batches),
            Number(found.Records),
            Number(found.Bytes),
            found.FirstReadableLsn is { } first ? $"{Number(first)}-{Number(found.LastReadableLsn!.Value)}" : "none",
            found.Clean ? "[green]clean[/]" : $"[red]{Number(found.Damages.Count + found.DamagesNotListed)} damaged[/]");
        output.Console.Write(table);
        foreach (var damage in found.Damages)
        {
            output.Line(DamageText.Of(damage));
        }

        if (found.DamagesNotListed > 0)
        {
            output.Line($"DAMAGE  channel {Printable.Escape(manifest.Channel)}  and {Number(found.DamagesNotListed)} more, not listed");
        }

        output.Flush();
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    // Only for somebody who watches; a log file has no use for it.
    private static Action<WalVerifyProgress>? Progress(string channel)
    {
        if (Console.IsErrorRedirected)
        {
            return null;
        }

        var last = TimeProvider.System.GetTimestamp();
        return at =>
        {
            if (TimeProvider.System.GetElapsedTime(last) >= ProgressEvery)
            {
                last = TimeProvider.System.GetTimestamp();
                Console.Error.Write(string.Create(CultureInfo.InvariantCulture, $"\r{Printable.Escape(channel)}: segment {at.Segment} of {at.Segments}, {at.Bytes / 1_048_576} MiB\e[K\r"));
            }
        };
    }
}
