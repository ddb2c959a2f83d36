using System.Globalization;
using System.Text;

namespace Baton.Edge.Metrics;

/// <summary>Writes Prometheus text, format 0.0.4: one family after the other, each with its help and its type once.</summary>
public sealed class MetricText
{
    /// <summary>The content type of an answer in this format.</summary>
    public const string MediaType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new();
    private string _family = "";

    /// <summary>Begins a family. Its samples follow.</summary>
    /// <param name="name">Its name; of a counter, with the ending _total.</param>
    /// <param name="type">counter, gauge or histogram.</param>
    /// <param name="help">What it means.</param>
    public MetricText Family(string name, string type, string help)
    {
        ArgumentNullException.ThrowIfNull(help);
        _family = name;
        _text.Append("# HELP ").Append(name).Append(' ').Append(help.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal)).Append('\n');
        _text.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
        return this;
    }

    /// <summary>A sample of the family.</summary>
    public MetricText Sample(double value, params ReadOnlySpan<(string Name, string Value)> labels) => Sample("", value, labels);

    /// <summary>A sample of a histogram's part: _bucket, _sum or _count.</summary>
    public MetricText Sample(string part, double value, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        _text.Append(_family).Append(part);
        var separator = '{';
        foreach (var (name, text) in labels)
        {
            _text.Append(separator).Append(name).Append("=\"");
            AppendEscaped(text);
            _text.Append('"');
            separator = ',';
        }

        _text.Append(separator == '{' ? " " : "} ").Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
        return this;
    }

    /// <summary>All that was written.</summary>
    public override string ToString() => _text.ToString();

    private void AppendEscaped(string text)
    {
        foreach (var c in text)
        {
            _ = c switch
            {
                '\\' => _text.Append(@"\\"),
                '"' => _text.Append("\\\""),
                '\n' => _text.Append(@"\n"),
                _ => _text.Append(c),
            };
        }
    }
}
