using Spectre.Console;

namespace Baton.DevHost.Commands;

/// <summary>This process's output: colours where somebody watches, plain wide lines where it goes to a file.</summary>
internal static class Terminal
{
    private const int RedirectedWidth = 160;

    /// <summary>The console that every command prints to.</summary>
    public static IAnsiConsole Console { get; } = Create(System.Console.IsOutputRedirected);

    private static IAnsiConsole Create(bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });
        if (redirected)
        {
            console.Profile.Width = RedirectedWidth;
        }

        return console;
    }
}
