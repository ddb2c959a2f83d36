using Azure;

namespace Baton.DevHost.Orchestrations;

/// <summary>Repeats what must be done before its instance can go on. The table not answering is no reason to give a workflow up: it waits, and says so.</summary>
/// <param name="time">For the waits.</param>
/// <param name="assertOwner">Throws when this engine has lost the hub. A refused condition may mean that.</param>
/// <param name="log">Where it says so.</param>
internal sealed class StorageRetry(TimeProvider time, Func<CancellationToken, Task> assertOwner, ILogger log)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    /// <summary>How long to wait after so many failures in a row.</summary>
    public static TimeSpan Delay(int failures) => First * Math.Pow(2, Math.Min(failures, 10)) is var delay && delay < Longest ? delay : Longest;

    /// <summary>Whether storage is to blame.</summary>
    public static bool IsStorageFault(Exception e) => e is RequestFailedException or HttpRequestException or IOException or TaskCanceledException or TimeoutException
        || (e is AggregateException all && all.InnerExceptions.All(IsStorageFault));

    /// <summary>What storage said, in short.</summary>
    public static string Reason(Exception fault) => (fault as RequestFailedException)?.ErrorCode ?? fault.Message;

    /// <summary>Repeats <paramref name="act"/>, which does no harm twice, until it is done or the engine stops.</summary>
    public async Task UntilDoneAsync(string what, Func<CancellationToken, Task> act, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            ct.ThrowIfCancellationRequested();
            try
            {
                await act(ct);
                return;
            }
            catch (Exception e) when (!ct.IsCancellationRequested && IsStorageFault(e))
            {
                await TakeAsync(what, e, ct);
            }

            await Task.Delay(Delay(attempt), time, ct);
        }
    }

    /// <summary>A write failed and is about to be looked into or repeated.</summary>
    public async Task TakeAsync(string what, Exception fault, CancellationToken ct)
    {
        log.LogWarning(fault, "{What} failed; trying again.", what);
        if (fault is not RequestFailedException { Status: 409 or 412 })
        {
            return;
        }

        try
        {
            await assertOwner(ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested && IsStorageFault(e))
        {
            // Not known now; the renewal loop decides before the lease can run out.
            log.LogWarning(e, "The lease could not be checked.");
        }
    }
}
