using System.Diagnostics;
using System.Globalization;

namespace Baton.Bench;

/// <summary>Times of the same thing done many times, in milliseconds.</summary>
internal sealed class Samples
{
    private readonly List<double> _ms = [];

    public int Count => _ms.Count;

    public double Median => Percentile(0.5);

    public double Worst => _ms.Max();

    public double Least => _ms.Min();

    public double Last => _ms[^1];

    public void Add(double ms) => _ms.Add(ms);

    public void AddAll(Samples others) => _ms.AddRange(others._ms);

    public async Task TimeAsync(Func<Task> what)
    {
        var start = Stopwatch.GetTimestamp();
        await what();
        Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
    }

    public double Percentile(double share)
    {
        var sorted = _ms.Order().ToList();
        return sorted[(int)Math.Clamp(Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];
    }

    public static string Ms(double ms) => string.Create(CultureInfo.InvariantCulture, $"{ms:0.00} ms");
}
