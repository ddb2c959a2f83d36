using Baton.Core.Api;
using Baton.Functions.Nodes;

namespace Baton.Functions.Recovery;

/// <summary>The orders of one recovery session to its replica. Each may come twice: what is done is found done.</summary>
/// <param name="Client">How nodes are called.</param>
/// <param name="Endpoint">The node.</param>
/// <param name="Channel">The channel.</param>
/// <param name="SessionId">The session: the replica obeys no lower one.</param>
internal sealed record ReplicaOrders(NodeClient Client, Uri Endpoint, string Channel, long SessionId)
{
    // A replica gives a step 10 s before it says that it could not do it.
    private static readonly TimeSpan StepTimeout = TimeSpan.FromSeconds(11);
    private static readonly TimeSpan OnTheWay = TimeSpan.FromSeconds(2);

    /// <summary>Binds the session.</summary>
    /// <param name="epoch">The term at which the session was made.</param>
    /// <param name="leader">Where that term's leader is.</param>
    /// <param name="ct">Gives up.</param>
    public Task<ReplicaConnectResponse> ConnectAsync(long epoch, Uri? leader, CancellationToken ct) =>
        StepAsync<ReplicaConnectResponse>("connect", new ReplicaConnectRequest(SessionId, epoch, leader), StepTimeout, ct);

    /// <summary>What the replica has on its disk.</summary>
    public Task<ReplicaHandshakeResponse> HandshakeAsync(CancellationToken ct) =>
        StepAsync<ReplicaHandshakeResponse>("handshake", new ReplicaSessionRequest(SessionId), StepTimeout, ct);

    /// <summary>One record of what it has.</summary>
    public Task<ReplicaPositionResponse> PositionAsync(long lsn, CancellationToken ct) =>
        StepAsync<ReplicaPositionResponse>("position", new ReplicaPositionRequest(SessionId, lsn), StepTimeout, ct);

    /// <summary>Has it drop everything above <paramref name="lsn"/>.</summary>
    public Task<ReplicaHandshakeResponse> TruncateAsync(long lsn, CancellationToken ct) =>
        StepAsync<ReplicaHandshakeResponse>("truncate", new ReplicaTruncateRequest(SessionId, lsn), StepTimeout, ct);

    /// <summary>Has it fetch what it lacks up to <paramref name="targetLsn"/>, and tells how far it is after <paramref name="wait"/>.</summary>
    public Task<ReplicaCatchUpResponse> CatchUpAsync(long targetLsn, TimeSpan wait, CancellationToken ct) =>
        StepAsync<ReplicaCatchUpResponse>("catch-up", new ReplicaCatchUpRequest(SessionId, targetLsn, (int)wait.TotalMilliseconds), StepTimeout + wait, ct);

    /// <summary>Has it build its copy anew up to <paramref name="targetLsn"/>, and tells how far it is after <paramref name="wait"/>.</summary>
    public Task<ReplicaRebuildResponse> RebuildAsync(string source, long targetLsn, TimeSpan wait, CancellationToken ct) =>
        StepAsync<ReplicaRebuildResponse>("rebuild", new ReplicaRebuildRequest(SessionId, source, targetLsn, (int)wait.TotalMilliseconds), StepTimeout + wait, ct);

    /// <summary>Lets it follow by itself again.</summary>
    public Task<ChannelStatus> ReleaseAsync(CancellationToken ct) => StepAsync<ChannelStatus>("release", new ReplicaSessionRequest(SessionId), OnTheWay, ct);

    private Task<T> StepAsync<T>(string step, object body, TimeSpan timeout, CancellationToken ct) => Client.ReplicaAsync<T>(Endpoint, Channel, step, body, timeout, ct);
}
