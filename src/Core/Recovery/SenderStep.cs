namespace Baton.Core.Recovery;

/// <summary>What a call on a sender led to.</summary>
/// <param name="Sender">The sender after it; the same object where nothing changed.</param>
/// <param name="Refused">Why it was refused (<see cref="Refusals"/>), or null.</param>
/// <param name="Verdict">Of a handshake: what the replica needs.</param>
/// <param name="Violation">Of a look at the budget: the bound that ended the session.</param>
public sealed record SenderStep(ReplicaSender Sender, string? Refused = null, Recoverability? Verdict = null, BudgetViolation Violation = BudgetViolation.None);
