namespace Baton.DevHost.Tests.Conformance;

/// <summary>Shows two histories side by side where they are not the same: whole, with a mark at each line that only one of them has.</summary>
internal static class Differences
{
    public static void Check(IReadOnlyList<string> expected, IReadOnlyList<string> actual)
    {
        if (!expected.SequenceEqual(actual, StringComparer.Ordinal))
        {
            Assert.Fail($"The histories differ (- the peer alone, + this pairing):\n{string.Join('\n', Show(expected, actual))}");
        }
    }

    // What both begin and end with is the same; all between is shown from both.
    private static IEnumerable<string> Show(IReadOnlyList<string> expected, IReadOnlyList<string> actual)
    {
        var first = expected.Zip(actual).TakeWhile(pair => pair.First == pair.Second).Count();
        var last = expected.Skip(first).Reverse().Zip(actual.Skip(first).Reverse()).TakeWhile(pair => pair.First == pair.Second).Count();
        return
        [
            .. expected.Take(first).Select(line => $"  {line}"),
            .. expected.Skip(first).SkipLast(last).Select(line => $"- {line}"),
            .. actual.Skip(first).SkipLast(last).Select(line => $"+ {line}"),
            .. expected.TakeLast(last).Select(line => $"  {line}"),
        ];
    }
}
