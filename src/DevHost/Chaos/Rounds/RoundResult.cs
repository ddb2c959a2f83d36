namespace Baton.DevHost.Chaos.Rounds;

/// <summary>What was measured of one promotion and what came before and after it.</summary>
/// <param name="Promoted">The cluster that was promoted.</param>
/// <param name="Messages">Messages acknowledged by the primary before.</param>
/// <param name="LagP50Ms">Replication lag that half of the messages did not exceed (milliseconds).</param>
/// <param name="LagMaxMs">The largest.</param>
/// <param name="PromotionMs">From the call to the end of the operation.</param>
/// <param name="FirstWriteMs">From the call until every channel has accepted a write.</param>
/// <param name="Undisturbed">Nothing of the promoted cluster was killed before or meanwhile: then the first write is to come within two seconds.</param>
/// <param name="RolledBack">Transactions that the promotion ended; null where its answer was lost with the control plane.</param>
/// <param name="Supplemented">Broadcasts that it completed; null likewise.</param>
/// <param name="Salvaged">Records that only the former primary has.</param>
public sealed record PromotionFigures(
    string Promoted, int Messages, double LagP50Ms, double LagMaxMs, double PromotionMs, double FirstWriteMs, bool Undisturbed, int? RolledBack, int? Supplemented, long Salvaged);

/// <summary>How a round ended.</summary>
/// <param name="Plan">What happened in it.</param>
/// <param name="Promotions">One for each generation that came to its end.</param>
/// <param name="Findings">What was not as it must be; nothing where all is well.</param>
public sealed record RoundResult(RoundPlan Plan, IReadOnlyList<PromotionFigures> Promotions, IReadOnlyList<string> Findings);
