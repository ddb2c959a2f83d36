using System.CommandLine;
using System.CommandLine.Parsing;
using Baton.Cli.Text;
using Baton.Storage.Wal;

namespace Baton.Cli.Wal;

/// <summary><c>wal dump</c>: prints what is readable, record by record, and damage in its place.</summary>
internal static class DumpCommand
{
    private static readonly Argument<string> Channel = new("channel") { Description = "The channel." };
    private static readonly Option<long> From = new("--from") { Description = "The first LSN to print.", DefaultValueFactory = _ => 1 };
    private static readonly Option<long> To = new("--to") { Description = "The last LSN to print; without it, to the end of the log.", DefaultValueFactory = _ => long.MaxValue };
    private static readonly Option<long> Max = new("--max") { Description = "Records to print at most.", DefaultValueFactory = _ => long.MaxValue };
    private static readonly Option<PayloadForm> Payload = new("--payload") { Description = "How to show the beginning of each payload: none, text or hex.", DefaultValueFactory = _ => PayloadForm.Text };
    private static readonly Option<bool> Json = new("--json") { Description = "One JSON object a line, damage included; payloads whole, in base64." };

    public static Command Create()
    {
        var command = new Command("dump", "Print the readable records of a log, one a line, and damage in its place. Exit code: 0 clean, 1 damage met, 2 could not look.");
        command.Arguments.Add(Channel);
        foreach (Option option in new Option[] { From, To, Max, Payload, Json })
        {
            command.Options.Add(option);
        }

        From.Validators.Add(AtLeastOne);
        To.Validators.Add(AtLeastOne);
        Max.Validators.Add(AtLeastOne);
        command.SetAction((parsed, cancellationToken) => ExitCode.OfAsync(() => RunAsync(parsed, cancellationToken)));
        return command;
    }

    private static void AtLeastOne(OptionResult result)
    {
        if (result.Tokens.Count == 1 && long.TryParse(result.Tokens[0].Value, out var value) && value < 1)
        {
            result.AddError($"{result.Option.Name} must be 1 or more, got {value}.");
        }
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (from, to, left) = (parsed.GetValue(From), parsed.GetValue(To), parsed.GetValue(Max));
        if (from > to)
        {
            throw new CannotLookException("--from is above --to: nothing could be printed.", "See --help.");
        }

        var verifier = StorageArguments.Open(parsed);
        var manifest = await WalCommand.ManifestAsync(verifier, parsed.GetValue(Channel)!, cancellationToken);
        IRecordFormat format = parsed.GetValue(Json) ? new JsonRecordFormat() : new TextRecordFormat(parsed.GetValue(Payload));
        var code = ExitCode.Clean;
        return await Output.ToAsync(
            async output =>
            {
                await foreach (var scanned in verifier.ScanAsync(manifest, from, to, cancellationToken))
                {
                    if (scanned.Damage is { } damage)
                    {
                        code = ExitCode.Damaged;
                        output.Line(format.Damage(damage));
                    }

                    foreach (var entry in Entries(scanned).Where(e => e.Lsn >= from && e.Lsn <= to))
                    {
                        output.Line(format.Record(entry));
                        if (--left == 0)
                        {
                            return code;
                        }
                    }
                }

                return code;
            },
            () => code);
    }

    private static IEnumerable<WalEntry> Entries(WalScanned scanned) =>
        scanned.Batch?.Records.Select((record, i) => new WalEntry(scanned.Batch.FirstLsn + i, scanned.Segment.Term, record)) ?? [];
}
