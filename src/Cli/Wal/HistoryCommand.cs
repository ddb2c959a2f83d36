using System.CommandLine;
using System.Globalization;
using Baton.Cli.Text;
using Baton.Storage.Wal;
using Spectre.Console;

namespace Baton.Cli.Wal;

/// <summary><c>wal history</c>: what of a channel's log is kept, in which segments, and for whom.</summary>
internal static class HistoryCommand
{
    private static readonly Argument<string> Channel = new("channel") { Description = "The channel." };

    public static Command Create()
    {
        var command = new Command("history", "Show a channel's term, owner, first LSN, head, snapshots, segments and pins. Exit code: 0, or 1 when the head cannot be read, or 2 could not look.");
        command.Arguments.Add(Channel);
        command.SetAction((parsed, cancellationToken) => ExitCode.OfAsync(() => RunAsync(parsed, cancellationToken)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var verifier = StorageArguments.Open(parsed);
        var manifest = await WalCommand.ManifestAsync(verifier, parsed.GetValue(Channel)!, cancellationToken);
        var head = await HeadAsync(verifier, manifest, cancellationToken);
        var code = head.Damages.Count == 0 ? ExitCode.Clean : ExitCode.Damaged;
        return await Output.ToAsync(
            output =>
            {
                output.Console.Write(Summary(manifest, head));
                output.Console.Write(Segments(manifest, head));
                if (manifest.Snapshots.Count > 0)
                {
                    output.Console.Write(Snapshots(manifest));
                }

                if (manifest.Pins.Count > 0)
                {
                    output.Console.Write(Pins(manifest));
                }

                foreach (var damage in head.Damages)
                {
                    output.Line(DamageText.Of(damage));
                }

                return Task.FromResult(code);
            },
            () => code);
    }

    // The manifest knows where the sealed segments end; the open one has to be read.
    private static async Task<Head> HeadAsync(WalVerifier verifier, WalManifest manifest, CancellationToken cancellationToken)
    {
        var head = new Head(manifest.FirstLsnAfterSealed - 1, 0, []);
        if (manifest.Tail is not { } tail)
        {
            return head;
        }

        await foreach (var scanned in verifier.ScanAsync(manifest with { Segments = [tail], FirstLsn = tail.FirstLsn }, tail.FirstLsn, long.MaxValue, cancellationToken))
        {
            if (scanned.Damage is { } damage)
            {
                head.Damages.Add(damage);
            }
            else
            {
                head = head with { Lsn = scanned.Batch!.LastLsn, TailBytes = scanned.Offset + scanned.SizeBytes };
            }
        }

        return head;
    }

    private static Table Summary(WalManifest manifest, Head head) => new Table().Border(TableBorder.Rounded).HideHeaders().AddColumns("what", "value")
        .AddRow("channel", Safe(manifest.Channel))
        .AddRow("term", Number(manifest.Term))
        .AddRow("owner", Safe(manifest.Owner))
        .AddRow("first available LSN", Number(manifest.FirstLsn))
        .AddRow("head LSN", head.Damages.Count == 0 ? Number(head.Lsn) : $"[red]{Number(head.Lsn)} or above: the open segment is damaged[/]")
        .AddRow("snapshot LSN", manifest.Snapshots is [.., var snapshot] ? Number(snapshot.Lsn) : "none")
        .AddRow("manifest revision", Number(manifest.Revision));

    private static Table Segments(WalManifest manifest, Head head)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("segment", "term", "LSNs", "bytes", "state");
        foreach (var segment in manifest.Segments)
        {
            var last = segment.LastLsn ?? head.Lsn;
            table.AddRow(
                Safe(segment.BlobName(manifest.Channel)),
                Number(segment.Term),
                last < segment.FirstLsn ? $"{Number(segment.FirstLsn)}-" : $"{Number(segment.FirstLsn)}-{Number(last)}",
                segment.Sealed ? Number(segment.LengthBytes ?? 0) : Number(head.TailBytes),
                segment switch { { Sealed: false } => "open", { SealedAt: { } at } => $"sealed {Time(at)}", _ => "sealed" });
        }

        return table;
    }

    private static Table Snapshots(WalManifest manifest)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("snapshot", "LSN", "term", "bytes");
        foreach (var snapshot in manifest.Snapshots)
        {
            table.AddRow(Safe(snapshot.BlobName(manifest.Channel)), Number(snapshot.Lsn), Number(snapshot.Term), Number(snapshot.LengthBytes));
        }

        return table;
    }

    private static Table Pins(WalManifest manifest)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("pin", "from LSN", "expires");
        foreach (var pin in manifest.Pins)
        {
            table.AddRow(Safe(pin.Id), Number(pin.FromLsn), Time(pin.ExpiresAt));
        }

        return table;
    }

    private static string Safe(string text) => Markup.Escape(Printable.Escape(text));

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    private sealed record Head(long Lsn, long TailBytes, List<WalDamage> Damages);
}
