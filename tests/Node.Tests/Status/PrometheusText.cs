using System.Globalization;
using System.Text.RegularExpressions;

namespace Baton.Node.Tests.Status;

/// <summary>One line of a metric.</summary>
internal sealed record PrometheusSample(string Name, IReadOnlyDictionary<string, string> Labels, double Value)
{
    /// <summary>Its labels without <c>le</c>: what tells one histogram of a family from another.</summary>
    public string Series => string.Join(',', Labels.Where(l => l.Key != "le").OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}"));
}

/// <summary>A family as it was printed.</summary>
internal sealed record PrometheusFamily(string Name, string Type, string Help, List<PrometheusSample> Samples);

/// <summary>Reads the text format 0.0.4 and takes nothing that a strict scraper would not.</summary>
internal static partial class PrometheusText
{
    public static IReadOnlyList<PrometheusFamily> Parse(string text)
    {
        Must(text.EndsWith('\n'), "the text ends with a line feed", text.Length == 0 ? "" : text[^1..]);
        List<PrometheusFamily> families = [];
        string? help = null;
        foreach (var line in text[..^1].Split('\n'))
        {
            if (HelpLine().Match(line) is { Success: true } h)
            {
                Must(help is null && families.TrueForAll(f => f.Name != h.Groups["name"].Value), "HELP stands once, before its TYPE", line);
                help = h.Groups["name"].Value;
                families.Add(new PrometheusFamily(help, "", h.Groups["help"].Value, []));
            }
            else if (TypeLine().Match(line) is { Success: true } t)
            {
                Must(help == t.Groups["name"].Value, "TYPE follows the HELP of its family", line);
                families[^1] = families[^1] with { Type = t.Groups["type"].Value };
                help = null;
            }
            else
            {
                Must(help is null && families.Count > 0, "samples follow HELP and TYPE", line);
                families[^1].Samples.Add(Sample(families[^1], line));
            }
        }

        Must(help is null, "every HELP has its TYPE", help ?? "");
        families.ForEach(Check);
        return families;
    }

    /// <summary>What the sample with exactly these labels says; 0 where there is none.</summary>
    public static double Value(this IReadOnlyList<PrometheusFamily> families, string name, params (string Name, string Value)[] labels) =>
        families.SelectMany(f => f.Samples)
            .Where(s => s.Name == name && s.Labels.Count == labels.Length && Array.TrueForAll(labels, l => s.Labels.GetValueOrDefault(l.Name) == l.Value))
            .Select(s => s.Value)
            .SingleOrDefault();

    private static PrometheusSample Sample(PrometheusFamily family, string line)
    {
        var match = SampleLine().Match(line);
        Must(match.Success, "a sample is name, labels and number", line);
        Dictionary<string, string> labels = new(StringComparer.Ordinal);
        foreach (var label in Label().Matches(match.Groups["labels"].Value).Cast<Match>())
        {
            Must(labels.TryAdd(label.Groups["name"].Value, label.Groups["value"].Value), "no label stands twice", line);
        }

        var name = match.Groups["name"].Value;
        string[] names = family.Type == "histogram" ? [$"{family.Name}_bucket", $"{family.Name}_sum", $"{family.Name}_count"] : [family.Name];
        Must(names.Contains(name), $"the sample belongs to family {family.Name}", line);
        Must((name == $"{family.Name}_bucket" && family.Type == "histogram") == labels.ContainsKey("le"), "le is the label of buckets", line);
        return new PrometheusSample(name, labels, double.Parse(match.Groups["value"].Value, NumberStyles.Float, CultureInfo.InvariantCulture));
    }

    private static void Check(PrometheusFamily family)
    {
        Must(family.Help.Length > 0, "a family has a help", family.Name);
        Must((family.Type == "counter") == family.Name.EndsWith("_total", StringComparison.Ordinal), "counters, and they alone, end with _total", family.Name);
        Must(family.Samples.TrueForAll(s => !double.IsNaN(s.Value) && (family.Type == "gauge" || s.Value >= 0)), "counters and histograms are numbers of 0 or above", family.Name);
        var twice = family.Samples.GroupBy(s => (s.Name, s.Series, s.Labels.GetValueOrDefault("le"))).FirstOrDefault(g => g.Count() > 1);
        Must(twice is null, "no series stands twice", $"{family.Name} {twice?.Key}");
        if (family.Type == "histogram")
        {
            foreach (var series in family.Samples.GroupBy(s => s.Series))
            {
                CheckHistogram(family.Name, [.. series]);
            }
        }
    }

    private static void CheckHistogram(string name, PrometheusSample[] samples)
    {
        var buckets = samples.Where(s => s.Name == $"{name}_bucket").ToArray();
        var ends = buckets.Select(b => b.Labels["le"] == "+Inf" ? double.PositiveInfinity : double.Parse(b.Labels["le"], CultureInfo.InvariantCulture)).ToArray();
        Must(ends.Length > 0 && double.IsPositiveInfinity(ends[^1]), "the last bucket is +Inf", name);
        Must(ends.Zip(ends.Skip(1)).All(e => e.First < e.Second), "bucket ends rise", name);
        Must(buckets.Zip(buckets.Skip(1)).All(b => b.First.Value <= b.Second.Value), "buckets are cumulative", name);
        Must(samples.Count(s => s.Name == $"{name}_sum") == 1 && samples.Count(s => s.Name == $"{name}_count") == 1, "one sum and one count", name);
        Must(samples.Single(s => s.Name == $"{name}_count").Value == buckets[^1].Value, "the count is the last bucket", name);
    }

    private static void Must(bool holds, string rule, string where) => Assert.True(holds, $"{rule}: {where}");

    [GeneratedRegex(@"\A# HELP (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?<help>([^\\\n]|\\\\|\\n)*)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex HelpLine();

    [GeneratedRegex(@"\A# TYPE (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?<type>counter|gauge|histogram)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TypeLine();

    [GeneratedRegex(@"\A(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>[a-zA-Z_][a-zA-Z0-9_]*=""(?:[^""\\\n]|\\\\|\\""|\\n)*""(?:,[a-zA-Z_][a-zA-Z0-9_]*=""(?:[^""\\\n]|\\\\|\\""|\\n)*"")*)\})? (?<value>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SampleLine();

    [GeneratedRegex(@"(?<name>[a-zA-Z_][a-zA-Z0-9_]*)=""(?<value>([^""\\\n]|\\\\|\\""|\\n)*)""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Label();
}
