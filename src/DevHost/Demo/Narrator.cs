using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace Baton.DevHost.Demo;

/// <summary>Tells what happens, with the time since the start, and keeps what was expected and seen.</summary>
internal sealed class Narrator(IAnsiConsole console)
{
    private const int MarginWidth = 11;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private int _seen;
    private int _missed;

    /// <summary>Everything that was looked for was seen, and something was looked for.</summary>
    public bool AllSeen => _seen > 0 && _missed == 0;

    /// <summary>A new chapter.</summary>
    public void Chapter(string title)
    {
        console.WriteLine();
        console.Write(new Rule($"[bold]{Markup.Escape(title)}[/]") { Justification = Justify.Left });
    }

    /// <summary>Something that happened.</summary>
    public void Say(string text) => Line("[grey]·[/]", text);

    /// <summary>Something looked for by reading it back.</summary>
    public void Observe(string what, object? expected, object? seen)
    {
        if (Equals(expected, seen))
        {
            _seen++;
            Line("[green]✓[/]", string.Create(CultureInfo.InvariantCulture, $"{what}: {seen}"));
        }
        else
        {
            _missed++;
            Line("[red]✗[/]", string.Create(CultureInfo.InvariantCulture, $"{what}: expected {expected ?? "nothing"}, saw {seen ?? "nothing"}"));
        }
    }

    /// <summary>Something looked for that is true or not.</summary>
    public void Observe(string what, bool seen, string detail = "")
    {
        _ = seen ? _seen++ : _missed++;
        Line(seen ? "[green]✓[/]" : "[red]✗[/]", detail.Length > 0 ? $"{what}: {detail}" : what);
    }

    /// <summary>The last line.</summary>
    public void Conclude() => console.MarkupLine(AllSeen
        ? $"\n[green bold]All {_seen} observations were as expected.[/]"
        : $"\n[red bold]{_missed} of {_seen + _missed} observations were not as expected.[/]");

    private void Line(string mark, string text)
    {
        // Wrapped text stays right of the time and the mark, whatever the console's width.
        var grid = new Grid().AddColumn(new GridColumn { Width = MarginWidth, NoWrap = true }).AddColumn(new GridColumn { Width = 1, NoWrap = true }).AddColumn();
        grid.AddRow(
            new Markup(string.Create(CultureInfo.InvariantCulture, $"[grey]{_clock.Elapsed.TotalSeconds,8:0.000} s[/]")),
            new Markup(mark),
            new Text(text));
        console.Write(grid);
    }
}
