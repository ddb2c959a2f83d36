namespace Baton.OrchestrationApp.Conformance;

internal static class TurnCancellation
{
    /// <summary>Cancels on the turn's own thread; <c>CancelAsync</c> would run the callbacks elsewhere.</summary>
    public static void CancelInTurn(this CancellationTokenSource source) => source.Cancel();
}
