namespace Baton.Gateway.Forwarding;

/// <summary>Why a request is sent again.</summary>
internal enum RetryReason
{
    /// <summary>No connection: refused, or no way to the host. Nothing was sent.</summary>
    Refused,

    /// <summary>No connection within <c>Gateway:ConnectTimeoutMs</c>. Nothing was sent.</summary>
    ConnectTimeout,

    /// <summary>The gateway itself lacks what a connection takes: sockets, ports, its network, the name service. Nothing was sent, and nothing is known of the node.</summary>
    NoSocket,

    /// <summary>The connection ended before the answer did.</summary>
    Reset,

    /// <summary>What came is no HTTP answer that can be read. Whoever sent it lives.</summary>
    Unreadable,

    /// <summary>No answer within <c>Gateway:AttemptTimeoutMs</c>.</summary>
    AttemptTimeout,

    /// <summary>No answer within what was left of the time that the request may be held. This gateway ended it, and nothing is known of the node.</summary>
    HoldOver,

    /// <summary>The route gives the channel another leader: whatever this one would still answer, the other must confirm.</summary>
    RouteChanged,

    /// <summary>421.</summary>
    NotLeader,

    /// <summary>503.</summary>
    Unavailable,

    /// <summary>The gateway stops, and a read that waits must end.</summary>
    Stopping,
}

/// <summary>What is known of each <see cref="RetryReason"/>.</summary>
internal static class RetryReasons
{
    /// <summary>Whether it says that the node is gone.</summary>
    public static bool IsUnreachable(this RetryReason reason) => reason is RetryReason.Refused or RetryReason.ConnectTimeout or RetryReason.Reset;

    /// <summary>Whether the node may have done what it was asked.</summary>
    public static bool MayBeDone(this RetryReason reason) => reason is RetryReason.Reset or RetryReason.Unreadable or RetryReason.AttemptTimeout or RetryReason.HoldOver or RetryReason.RouteChanged or RetryReason.Unavailable or RetryReason.Stopping;

    /// <summary>Its name among the metrics.</summary>
    public static string Label(this RetryReason reason) => reason switch
    {
        RetryReason.Refused => "refused",
        RetryReason.ConnectTimeout => "connectTimeout",
        RetryReason.NoSocket => "noSocket",
        RetryReason.Reset => "reset",
        RetryReason.Unreadable => "unreadable",
        RetryReason.AttemptTimeout => "attemptTimeout",
        RetryReason.HoldOver => "holdOver",
        RetryReason.RouteChanged => "routeChanged",
        RetryReason.NotLeader => "notLeader",
        RetryReason.Unavailable => "unavailable",
        _ => "stopping",
    };
}
