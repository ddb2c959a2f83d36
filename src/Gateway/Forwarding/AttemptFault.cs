using System.Net.Sockets;

namespace Baton.Gateway.Forwarding;

/// <summary>What a failed call says of the node: only that which tells that it is gone may be held against it.</summary>
internal static class AttemptFault
{
    /// <summary>The setback that <paramref name="fault"/> is.</summary>
    /// <param name="fault">What the call ended with, but for its own cancellation.</param>
    /// <param name="nodeId">Whom it went to.</param>
    public static AttemptResult Of(Exception fault, string nodeId) => ErrorOf(fault) switch
    {
        HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError => IsOurs(fault)
            ? AttemptResult.Of(RetryReason.NoSocket, $"this gateway could not begin a connection to node {nodeId}: {fault.Message}")
            : AttemptResult.Of(RetryReason.Refused, $"no connection to node {nodeId}: {ErrorOf(fault)}"),
        HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded => Unreadable(nodeId),
        _ => fault is IOException || fault.InnerException is IOException or SocketException
            ? AttemptResult.Of(RetryReason.Reset, $"the connection to node {nodeId} ended before its answer did")
            : Unreadable(nodeId),
    };

    private static AttemptResult Unreadable(string nodeId) => AttemptResult.Of(RetryReason.Unreadable, $"what node {nodeId} sent is no answer that can be read");

    private static HttpRequestError ErrorOf(Exception fault) => fault switch
    {
        HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } e => e.HttpRequestError,
        HttpIOException e => e.HttpRequestError,
        { InnerException: HttpIOException e } => e.HttpRequestError,
        _ => HttpRequestError.Unknown,
    };

    // No sockets, no ports, no memory for them, no network, no name service: all nodes look the same to a gateway that lacks them, and would all be reported at once.
    private static bool IsOurs(Exception fault) => fault.InnerException is SocketException
    {
        SocketErrorCode: SocketError.TooManyOpenSockets or SocketError.AddressNotAvailable or SocketError.AddressAlreadyInUse or SocketError.NoBufferSpaceAvailable or SocketError.AccessDenied
            or SocketError.NetworkDown or SocketError.NetworkUnreachable or SocketError.TryAgain or SocketError.NoRecovery
    };
}
