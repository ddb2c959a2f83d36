using System.Globalization;
using System.Text;

namespace Baton.Cli.Text;

/// <summary>Texts that others chose, made safe for a terminal: no line of output and no escape sequence can be forged by them.</summary>
internal static class Printable
{
    /// <summary>In double quotes, with everything that is not plainly visible written as <c>\uXXXX</c>.</summary>
    public static string Quote(string? text) => text is null ? "-" : $"\"{Escape(text)}\"";

    /// <summary>The bytes as text in quotes; <c>…</c> follows when there are more than <paramref name="mostChars"/> characters.</summary>
    public static string Quote(ReadOnlySpan<byte> utf8, int mostChars)
    {
        // Four bytes a character at most: more need not be looked at.
        var text = Encoding.UTF8.GetString(utf8[..Math.Min(utf8.Length, mostChars * 4)]);
        var cut = text.Length > mostChars || utf8.Length > mostChars * 4;
        var end = Math.Min(text.Length, mostChars);
        end -= end > 0 && char.IsHighSurrogate(text[end - 1]) ? 1 : 0;
        return $"\"{Escape(text[..end])}\"{(cut ? "…" : string.Empty)}";
    }

    /// <summary>Without quotes: for names in sentences.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var next = text[i];
            if (next is '"' or '\\')
            {
                escaped.Append('\\').Append(next);
            }
            else if (char.IsHighSurrogate(next) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]) && Visible(CharUnicodeInfo.GetUnicodeCategory(text, i)))
            {
                escaped.Append(next).Append(text[++i]);
            }
            else if (Visible(CharUnicodeInfo.GetUnicodeCategory(next)))
            {
                escaped.Append(next);
            }
            else
            {
                escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)next:X4}");
            }
        }

        return escaped.ToString();
    }

    // Format characters turn text around, separators break lines.
    private static bool Visible(UnicodeCategory category) => category is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
