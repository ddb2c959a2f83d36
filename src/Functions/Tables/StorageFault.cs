using Azure;

namespace Baton.Functions.Tables;

/// <summary>Tells a storage service that is away for a while from one that has refused.</summary>
internal static class StorageFault
{
    /// <summary>
    /// The same call may succeed in a moment: the service is throttling, restarting, or cannot be reached. Whether a write that ended so was carried out is unknown.
    /// A call that its own caller cancelled ends so, too: ask the token first.
    /// </summary>
    public static bool IsTransient(Exception fault) => fault switch
    {
        RequestFailedException e => e.Status is 0 or 408 or 429 or >= 500,
        AggregateException all => all.InnerExceptions.All(IsTransient),
        HttpRequestException or IOException or TimeoutException or OperationCanceledException => true,
        _ => false,
    };
}
