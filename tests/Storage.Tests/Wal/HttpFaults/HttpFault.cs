namespace Baton.Storage.Tests.Wal.HttpFaults;

/// <summary>What becomes of one HTTP call.</summary>
public enum HttpFault
{
    /// <summary>It is never sent.</summary>
    Dropped,

    /// <summary>The caller is told that it is lost; it arrives after the caller's next call.</summary>
    LateByOne,

    /// <summary>The caller is told that it is lost; it arrives after the caller's next three calls.</summary>
    LateByThree,

    /// <summary>It arrives twice; the caller gets the first answer.</summary>
    TwiceFirstAnswer,

    /// <summary>It arrives twice; the caller gets the second answer.</summary>
    TwiceSecondAnswer,

    /// <summary>500, and nothing was done.</summary>
    InternalErrorUndone,

    /// <summary>500, and it was done.</summary>
    InternalErrorDone,

    /// <summary>503, and nothing was done.</summary>
    UnavailableUndone,

    /// <summary>503, and it was done.</summary>
    UnavailableDone,

    /// <summary>It was done; the connection is cut before the answer.</summary>
    ResetAfterSend,

    /// <summary>The answer's body ends in the middle.</summary>
    BodyCut,

    /// <summary>The answer's body ends in the middle, and its length says so too: a proxy has cut it. What the blob has is said in the range alone.</summary>
    BodyShortened,

    /// <summary>It was done; the answer never comes, until the caller's network timeout.</summary>
    Hangs,
}

/// <summary>Which calls a fault makes a difference to.</summary>
internal static class HttpFaultKinds
{
    /// <summary>All but <see cref="HttpFault.Hangs"/>, which costs time.</summary>
    public static readonly IReadOnlyList<HttpFault> Quick = [.. Enum.GetValues<HttpFault>().Where(f => f != HttpFault.Hangs)];

    /// <summary>Whether <paramref name="fault"/> can do something to <paramref name="request"/> that a simpler fault does not.</summary>
    public static bool Concerns(this HttpFault fault, HttpRequestMessage request) => fault switch
    {
        HttpFault.BodyCut => request.Method == HttpMethod.Get,
        HttpFault.BodyShortened => request.Headers.Contains("x-ms-range"),

        // To a call that changes nothing, these are no more than a lost call or nothing at all.
        HttpFault.LateByOne or HttpFault.LateByThree or HttpFault.TwiceFirstAnswer or HttpFault.TwiceSecondAnswer or HttpFault.InternalErrorDone or HttpFault.UnavailableDone =>
            request.Method != HttpMethod.Get,
        _ => true,
    };
}
