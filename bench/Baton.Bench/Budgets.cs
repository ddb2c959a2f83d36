using System.Globalization;
using Spectre.Console;

namespace Baton.Bench;

/// <summary>The table of budgets: what was measured beside what it must not exceed.</summary>
internal sealed class Budgets
{
    private readonly Table _table = new Table().Border(TableBorder.Markdown).AddColumns("what", "count", "median", "worst", "budget", "");
    private int _missed;

    /// <summary>A budget was missed, or something that has one was not measured.</summary>
    public bool Missed => _missed > 0;

    /// <summary>A row of times.</summary>
    /// <param name="what">What was timed.</param>
    /// <param name="samples">The times.</param>
    /// <param name="median">The median must not exceed this (milliseconds); null where nothing is asked.</param>
    /// <param name="worst">Nor the worst this.</param>
    public void Add(string what, Samples samples, double? median = null, double? worst = null)
    {
        if (samples.Count == 0)
        {
            Row(what, "0", "", "", Text(median, worst), (median ?? worst) is null ? "" : "not measured");
            return;
        }

        var holds = !(samples.Median > median) && !(samples.Worst > worst);
        Row(what, samples.Count.ToString(CultureInfo.InvariantCulture), Ms(samples.Median), Ms(samples.Worst), Text(median, worst), (median ?? worst) is null ? "" : holds ? "ok" : "NOT");
    }

    /// <summary>A row of something that must not happen.</summary>
    public void AddCount(string what, int count, int most) =>
        Row(what, count.ToString(CultureInfo.InvariantCulture), "", "", most.ToString(CultureInfo.InvariantCulture), count <= most ? "ok" : "NOT");

    /// <summary>A row of ratios to something raw.</summary>
    /// <param name="what">What was compared.</param>
    /// <param name="ratios">The ratios.</param>
    /// <param name="least">The median must reach this.</param>
    public void AddRatio(string what, Samples ratios, double least)
    {
        var budget = string.Create(CultureInfo.InvariantCulture, $"median ≥ {least:0.0}");
        if (ratios.Count == 0)
        {
            Row(what, "0", "", "", budget, "not measured");
            return;
        }

        Row(what, ratios.Count.ToString(CultureInfo.InvariantCulture), Ratio(ratios.Median), Ratio(ratios.Least), budget, ratios.Median >= least ? "ok" : "NOT");
    }

    /// <summary>A row for comparison.</summary>
    public void AddText(string what, string median, string worst) => Row(what, "", median, worst, "", "");

    public void Print() => AnsiConsole.Write(_table);

    private static string Ratio(double ratio) => ratio.ToString("0.00", CultureInfo.InvariantCulture);

    private static string Ms(double ms) => string.Create(CultureInfo.InvariantCulture, $"{ms:0} ms");

    private static string Text(double? median, double? worst) => string.Join(", ", new[] { median is { } m ? $"median ≤ {Ms(m)}" : null, worst is { } w ? $"worst ≤ {Ms(w)}" : null }.OfType<string>());

    private void Row(string what, string count, string median, string worst, string budget, string verdict)
    {
        _missed += verdict is "" or "ok" ? 0 : 1;
        _table.AddRow(what, count, median, worst, budget, verdict);
    }
}
