using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Functions.Settings;

namespace Baton.Functions.Nodes;

/// <summary>Why a call to a node came to nothing.</summary>
internal enum NodeCallFailure
{
    /// <summary>No connection: refused, reset, no such host, or no answer to the connection attempt. The node is probably gone.</summary>
    Unreachable,

    /// <summary>Connected, but no answer in time. Whether the call was carried out is unknown.</summary>
    TimedOut,

    /// <summary>Answered with an error.</summary>
    Refused,
}

/// <summary>A call to a node that came to nothing.</summary>
internal sealed class NodeCallException(NodeCallFailure failure, string message, Problem? problem = null, Exception? innerException = null)
    : Exception(message, innerException)
{
    /// <summary>Why.</summary>
    public NodeCallFailure Failure { get; } = failure;

    /// <summary>The node's answer, where it is one.</summary>
    public Problem? Problem { get; } = problem;

    /// <summary>Whether the node answered with <paramref name="code"/>.</summary>
    public bool Is(ApiErrorCode code) => Problem?.Code == code.ToString();
}

/// <summary>What a node says at <c>GET /health</c> of who it is.</summary>
/// <param name="NodeId">The node.</param>
/// <param name="ClusterId">Its cluster.</param>
internal sealed record NodeIdentity(string? NodeId, string? ClusterId);

/// <summary>Control calls to nodes. One attempt each: whether to try again is the caller's business, since only it knows what a repeat costs.</summary>
internal sealed class NodeClient(HttpClient http, ClusterOptions cluster, TimeProvider time) : IDisposable
{
    /// <summary>
    /// Control messages under way in this process: hundreds of channels, and thousands of broadcasts, must not become as many connections. Who waits here is an activity, and the
    /// host bounds those. Hints to open a channel and questions about one never wait: the fast path sends them.
    /// </summary>
    public const int MaxControlCalls = 64;

    private readonly SemaphoreSlim _controlCalls = new(MaxControlCalls);

    /// <summary>How long a connection may take. A node whose host swallows packets must not cost more than this to be recognised.</summary>
    public static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(1);

    /// <summary>How long a control message may take: the node flushes what it owes the control plane before it answers.</summary>
    public static readonly TimeSpan ControlTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long a question about a channel may take.</summary>
    public static readonly TimeSpan StatusTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Tells a node to lead a channel at a term: a hint, the written state is what counts.</summary>
    /// <exception cref="NodeCallException">It came to nothing.</exception>
    public Task OpenAsync(Uri endpoint, string channel, OpenChannelRequest body, TimeSpan timeout, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, endpoint, $"channels/{Uri.EscapeDataString(channel)}/open", body, timeout, cancellationToken);

    /// <summary>Tells a node of everything that it leads now and may not know: a hint, however many channels. The node answers at once and opens behind the answer.</summary>
    /// <exception cref="NodeCallException">It came to nothing.</exception>
    public Task OpenManyAsync(Uri endpoint, OpenChannelsRequest body, TimeSpan timeout, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, endpoint, "channels/open", body, timeout, cancellationToken);

    /// <summary>Who answers at an address. The cheapest call that a node has: it touches no channel.</summary>
    /// <exception cref="NodeCallException">Nobody does, or no node.</exception>
    public async Task<NodeIdentity> HealthAsync(Uri endpoint, TimeSpan timeout, CancellationToken cancellationToken) =>
        Read<NodeIdentity>(await SendAsync(HttpMethod.Get, endpoint, "health", null, timeout, cancellationToken));

    /// <summary>Appends one vchannel's copy of a broadcast. Idempotent by broadcast id and vchannel.</summary>
    /// <exception cref="NodeCallException">It came to nothing, or whether it did is unknown.</exception>
    public async Task<ControlResponse> ControlAsync(Uri endpoint, string channel, ControlRequest body, CancellationToken cancellationToken)
    {
        await _controlCalls.WaitAsync(cancellationToken);
        try
        {
            return Read<ControlResponse>(await SendAsync(HttpMethod.Post, endpoint, $"channels/{Uri.EscapeDataString(channel)}/control", body, ControlTimeout, cancellationToken));
        }
        finally
        {
            _controlCalls.Release();
        }
    }

    /// <summary>How a channel stands on a node.</summary>
    /// <exception cref="NodeCallException">It came to nothing.</exception>
    public async Task<ChannelStatus> StatusAsync(Uri endpoint, string channel, CancellationToken cancellationToken) =>
        Read<ChannelStatus>(await SendAsync(HttpMethod.Get, endpoint, $"channels/{Uri.EscapeDataString(channel)}/status", null, StatusTimeout, cancellationToken));

    /// <summary>A step of a recovery session.</summary>
    /// <param name="endpoint">The node.</param>
    /// <param name="channel">The channel of which it has a replica.</param>
    /// <param name="step"><c>connect</c>, <c>handshake</c> and so on.</param>
    /// <param name="body">What the step takes.</param>
    /// <param name="timeout">How long the answer may take.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="NodeCallException">It came to nothing, or whether it did is unknown.</exception>
    public async Task<T> ReplicaAsync<T>(Uri endpoint, string channel, string step, object body, TimeSpan timeout, CancellationToken cancellationToken) =>
        Read<T>(await SendAsync(HttpMethod.Post, endpoint, $"replicas/{Uri.EscapeDataString(channel)}/{step}", body, timeout, cancellationToken));

    /// <summary>What of a channel's log its leader knows to be retained, and the record at <paramref name="lsn"/>.</summary>
    /// <exception cref="NodeCallException">It came to nothing.</exception>
    public async Task<ChannelHistoryResponse> HistoryAsync(Uri endpoint, string channel, long? lsn, bool verifySnapshot, CancellationToken cancellationToken) =>
        Read<ChannelHistoryResponse>(await SendAsync(
            HttpMethod.Get,
            endpoint,
            string.Create(CultureInfo.InvariantCulture, $"channels/{Uri.EscapeDataString(channel)}/history?lsn={lsn}&verifySnapshot={(verifySnapshot ? "true" : "false")}"),
            null,
            ControlTimeout,
            cancellationToken));

    /// <inheritdoc/>
    public void Dispose() => _controlCalls.Dispose();

    private async Task<byte[]> SendAsync(HttpMethod method, Uri endpoint, string path, object? body, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, new Uri(endpoint, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", cluster.Secret);
        if (body is not null)
        {
            request.Content = JsonContent.Create(body, body.GetType(), options: BatonJson.Options);
        }

        using var over = new CancellationTokenSource(timeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, over.Token);
        try
        {
            using var response = await http.SendAsync(request, limit.Token);
            var content = await response.Content.ReadAsByteArrayAsync(limit.Token);
            return response.IsSuccessStatusCode ? content : throw Refused(request, (int)response.StatusCode, content);
        }
        catch (HttpRequestException e)
        {
            throw new NodeCallException(NodeCallFailure.Unreachable, $"{request.RequestUri}: {e.Message}", innerException: e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            // The handler reports its connect timeout as a cancellation with a TimeoutException inside; ours has none.
            var failure = !limit.IsCancellationRequested && e.InnerException is TimeoutException ? NodeCallFailure.Unreachable : NodeCallFailure.TimedOut;
            throw new NodeCallException(failure, $"{request.RequestUri}: no answer within {timeout.TotalMilliseconds:0} ms", innerException: e);
        }
    }

    private static NodeCallException Refused(HttpRequestMessage request, int status, byte[] content)
    {
        Problem? problem = null;
        try
        {
            problem = JsonSerializer.Deserialize<Problem>(content, BatonJson.Options);
        }
        catch (JsonException)
        {
            // Not a node's answer (a proxy's, perhaps): the status is all there is.
        }

        return new NodeCallException(NodeCallFailure.Refused, $"{request.RequestUri}: {status} {problem?.Code}: {problem?.Detail}", problem);
    }

    private static T Read<T>(byte[] content)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(content, BatonJson.Options) ?? throw new NodeCallException(NodeCallFailure.Refused, "The node's answer is null.");
        }
        catch (JsonException e)
        {
            throw new NodeCallException(NodeCallFailure.Refused, $"The node's answer cannot be read: {e.Message}", innerException: e);
        }
    }
}
