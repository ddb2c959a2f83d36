using System.Text.RegularExpressions;

namespace Baton.Cli.Text;

/// <summary>Keeps keys out of everything that is printed, even when somebody typed one where a name belongs.</summary>
internal static partial class Secrets
{
    /// <summary>The text with the values of keys and signatures taken out.</summary>
    public static string Hide(string text) => Secret().Replace(text, "${name}=…");

    [GeneratedRegex("""(?<name>AccountKey|SharedAccessSignature|SharedAccessKey|sig)=[^;&'"\s]*""", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Secret();
}
