using System.Globalization;
using Baton.DevHost.FunctionsHost;

namespace Baton.DevHost.Chaos.Rounds;

/// <summary>What is to happen in one round. All of it is drawn from a seed, so that a round can be run again alone.</summary>
/// <param name="Seed">What it was drawn from, and what its load draws from.</param>
public sealed record RoundPlan(int Seed)
{
    /// <summary>Nodes of each cluster.</summary>
    public const int Nodes = 3;

    /// <summary>Every step of a promotion: its control plane may die after each.</summary>
    private static readonly string[] Steps = ["FenceIn", "AppendForcedConfig", "PersistForcedConfig", "PlanSupplement", "ReportPromotion"];

    /// <summary>Promotions in the round; after the first the clusters have changed places.</summary>
    public int Generations { get; init; } = 1;

    /// <summary>Messages that each channel has acknowledged before the moment is drawn at which anything dies.</summary>
    public int MessagesFirst { get; init; } = 20;

    /// <summary>From then to the death of the primary.</summary>
    public TimeSpan PrimaryDiesAfter { get; init; }

    /// <summary>The primary does not die: it is promoted over while it lives and is written to.</summary>
    public bool PrimaryLives { get; init; }

    /// <summary>A node of the primary that dies under load, before.</summary>
    public int? NodeOfPrimary { get; init; }

    /// <summary>A node of the secondary that dies under load, before.</summary>
    public int? NodeOfSecondary { get; init; }

    /// <summary>Where the control plane of the secondary dies during its promotion.</summary>
    public CrashPoint? ControlPlaneDiesAt { get; init; }

    /// <summary>A node of the secondary that dies during its promotion.</summary>
    public int? NodeDuringPromotion { get; init; }

    /// <summary>Draws round <paramref name="number"/> of a run.</summary>
    public static RoundPlan Draw(int runSeed, int number)
    {
        var seed = unchecked((int)(((uint)runSeed * 2_654_435_761u) + ((uint)number * 40_503u))) & int.MaxValue;
        var random = new Random(seed);
        return new RoundPlan(seed)
        {
            Generations = random.Next(3) == 0 ? 2 : 1,
            PrimaryDiesAfter = TimeSpan.FromMilliseconds(random.Next(3_000)),
            PrimaryLives = random.Next(4) == 0,
            NodeOfPrimary = Sometimes(2),
            NodeOfSecondary = Sometimes(2),
            ControlPlaneDiesAt = random.Next(2) == 0 ? new CrashPoint(Steps[random.Next(Steps.Length)], random.Next(3) > 0, 1) : null,
            NodeDuringPromotion = Sometimes(3),
        };

        int? Sometimes(int oneOf) => random.Next(oneOf) == 0 ? random.Next(Nodes) : null;
    }

    /// <summary>The plan in words.</summary>
    public string Describe()
    {
        var what = new List<string>();
        if (NodeOfPrimary is { } p)
        {
            what.Add($"node {p + 1} of the primary dies");
        }

        if (NodeOfSecondary is { } s)
        {
            what.Add($"node {s + 1} of the secondary dies");
        }

        what.Add(PrimaryLives ? "the primary lives on" : string.Create(CultureInfo.InvariantCulture, $"the primary dies {PrimaryDiesAfter.TotalMilliseconds:0} ms into the load"));
        if (ControlPlaneDiesAt is { } crash)
        {
            what.Add($"the control plane dies {(crash.After ? "after" : "before")} {crash.Function}");
        }

        if (NodeDuringPromotion is { } n)
        {
            what.Add($"node {n + 1} dies during the promotion");
        }

        return string.Join(", ", what) + (Generations > 1 ? ", and all of it again with the clusters in each other's place" : string.Empty);
    }
}
