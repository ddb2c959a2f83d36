using System.Globalization;

namespace Baton.Functions.Operations;

/// <summary>Texts of steps: short, however much there is to say.</summary>
internal static class StepText
{
    private const int MaxItems = 8;
    private const int MaxItemLength = 300;

    /// <summary>The first of <paramref name="items"/>, and how many more there are.</summary>
    public static string List(IReadOnlyCollection<string> items)
    {
        var named = string.Join("; ", items.Take(MaxItems).Select(i => i.Length <= MaxItemLength ? i : i[..MaxItemLength] + "…"));
        return items.Count <= MaxItems ? named : string.Create(CultureInfo.InvariantCulture, $"{named}; and {items.Count - MaxItems} more");
    }
}
