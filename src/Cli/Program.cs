using System.CommandLine;
using Baton.Cli;
using Baton.Cli.Wal;

var root = new RootCommand("Looks at a cluster of Baton. Exit code: 0 all is well, 1 something is wrong, 2 it could not look.");
root.Subcommands.Add(WalCommand.Create());
var parsed = root.Parse(args);
return parsed.Errors.Count > 0
    ? await ExitCode.CannotLookAsync(string.Join(Environment.NewLine, parsed.Errors.Select(e => e.Message)), "See --help.")
    : await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
