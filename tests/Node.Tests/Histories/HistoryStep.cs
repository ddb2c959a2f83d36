using FsCheck;
using FsCheck.Fluent;

namespace Baton.Node.Tests.Histories;

/// <summary>What happens in a step of a history.</summary>
internal enum StepKind
{
    Append,
    Begin,
    Body,
    Commit,
    Rollback,
    Replicate,
    Configure,
    Broadcast,
    Clock,
    Snapshot,
    Restart,
    Takeover,
}

/// <summary>One step: what, and three small numbers that say which. What they mean depends on where the history stands, so that a history with steps taken out is one as well.</summary>
internal sealed record HistoryStep(StepKind Kind, int A, int B, int C)
{
    private static readonly Gen<StepKind> Kinds = Gen.Frequency(
        (6, Gen.Constant(StepKind.Append)),
        (5, Gen.Constant(StepKind.Begin)),
        (7, Gen.Constant(StepKind.Body)),
        (5, Gen.Constant(StepKind.Commit)),
        (2, Gen.Constant(StepKind.Rollback)),
        (5, Gen.Constant(StepKind.Replicate)),
        (2, Gen.Constant(StepKind.Configure)),
        (1, Gen.Constant(StepKind.Broadcast)),
        (4, Gen.Constant(StepKind.Clock)),
        (2, Gen.Constant(StepKind.Snapshot)),
        (1, Gen.Constant(StepKind.Restart)),
        (1, Gen.Constant(StepKind.Takeover)));

    private static readonly Gen<HistoryStep> One =
        from kind in Kinds
        from a in Gen.Choose(0, 11)
        from b in Gen.Choose(0, 11)
        from c in Gen.Choose(0, 11)
        select new HistoryStep(kind, a, b, c);

    /// <summary>The history of a seed.</summary>
    public static IReadOnlyList<HistoryStep> History(int seed, int longest)
    {
        var histories = from length in Gen.Choose(1, longest) from steps in One.ListOf(length) select steps;
        return [.. histories.Sample(1, new Rnd((ulong)seed), longest).Single()];
    }

    /// <summary>Simpler histories, the simplest first: steps taken out, then numbers set to 0.</summary>
    public static IEnumerable<IReadOnlyList<HistoryStep>> Simpler(IReadOnlyList<HistoryStep> history)
    {
        for (var size = history.Count / 2; size > 0; size /= 2)
        {
            for (var at = 0; at + size <= history.Count; at += size)
            {
                yield return [.. history.Take(at), .. history.Skip(at + size)];
            }
        }

        for (var i = 0; i < history.Count; i++)
        {
            var step = history[i];
            foreach (var simple in new[] { step with { A = 0 }, step with { B = 0 }, step with { C = 0 } }.Where(s => s != step))
            {
                yield return [.. history.Take(i), simple, .. history.Skip(i + 1)];
            }
        }
    }

    public override string ToString() => $"{Kind}({A},{B},{C})";
}
