using System.Globalization;
using System.Net;
using System.Text;
using Baton.Core.Api;
using Baton.Edge.Connections;
using Baton.Gateway.Routing;
using Baton.Gateway.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.Forwarding;

/// <summary>Sends a request to a node once and says what came of it. Whether it is sent again is for the caller to say.</summary>
internal sealed class Attempts : IDisposable
{
    private readonly HttpMessageInvoker _http;
    private readonly RouteTable _routes;
    private readonly Stopping _stopping;
    private readonly AnswerMemory _memory;
    private readonly string _authorization;
    private readonly TimeSpan _timeout;

    public Attempts(RouteTable routes, Stopping stopping, IOptions<GatewaySettings> settings, IOptions<ClusterSettings> cluster)
    {
        (_routes, _stopping) = (routes, stopping);
        _memory = new AnswerMemory(settings.Value.MaxAnswerBytesInFlight);
        _authorization = $"Bearer {cluster.Value.ClientSecret}";
        _timeout = TimeSpan.FromMilliseconds(settings.Value.AttemptTimeoutMs);
        _http = new HttpMessageInvoker(new ConnectFaults(new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromMilliseconds(settings.Value.ConnectTimeoutMs),

            // Sooner than a node closes it: a request that met the closing would be taken for the end of the node.
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            UseProxy = false,

            // As this server reads them: what is not ASCII would fail here, over and over, where the node can say what is wrong with it.
            RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
            ActivityHeadersPropagator = null,
        }));
    }

    /// <summary>One attempt.</summary>
    /// <param name="request">What is sent.</param>
    /// <param name="stamp">The stamp that goes with it, if any.</param>
    /// <param name="leader">Whom to.</param>
    /// <param name="destination">What the route said.</param>
    /// <param name="waitLeft">What is left of the time that a read asks to wait.</param>
    /// <param name="isFirst">Nothing was sent for it before.</param>
    /// <param name="mostLeft">What is left of the time that it may be held.</param>
    /// <param name="ct">The client has gone.</param>
    public async Task<AttemptResult> SendAsync(
        ForwardedRequest request, string? stamp, RouteEntry leader, Destination destination, TimeSpan waitLeft, bool isFirst, TimeSpan mostLeft, CancellationToken ct)
    {
        var waits = waitLeft > TimeSpan.Zero;
        var limit = waitLeft + _timeout;
        var attempt = waits ? CancellationTokenSource.CreateLinkedTokenSource(ct, _stopping.Token) : CancellationTokenSource.CreateLinkedTokenSource(ct);
        var isCutShort = mostLeft < limit;
        limit = isCutShort ? mostLeft : limit;
        attempt.CancelAfter(limit > TimeSpan.Zero ? limit : TimeSpan.Zero);

        // What may not be sent twice is not given up for another leader: its own may still answer.
        var watch = request.IsRepeatable ? new LeaveWatch(destination, () => request.Channel is { } channel ? _routes.Find(channel) : destination, leader.Term, attempt) : null;
        HttpResponseMessage? response = null;
        try
        {
            using var message = Message(request, stamp, leader, waitLeft, isFirst);
            response = await _http.SendAsync(message, attempt.Token);
            var answer = await NodeAnswer.ReadAsync(response, _memory, attempt);
            if (answer.Status is not (HttpStatusCode.MisdirectedRequest or HttpStatusCode.ServiceUnavailable))
            {
                (response, attempt) = (null, null);
                return AttemptResult.Of(answer);
            }

            (response, attempt) = (null, null);
            using (answer)
            {
                return Refusal(answer, leader);
            }
        }
        catch (Exception e) when (attempt!.IsCancellationRequested && (e is OperationCanceledException or HttpRequestException or IOException))
        {
            // However it shows, it was this gateway that ended it, and says nothing of the node.
            ct.ThrowIfCancellationRequested();
            return watch?.Left == true ? AttemptResult.Of(RetryReason.RouteChanged, $"another node than {leader.NodeId} leads now")
                : waits && _stopping.Token.IsCancellationRequested ? AttemptResult.Of(RetryReason.Stopping, "the gateway is stopping")
                : AttemptResult.Of(isCutShort ? RetryReason.HoldOver : RetryReason.AttemptTimeout, $"node {leader.NodeId} gave no answer in time");
        }
        catch (OperationCanceledException)
        {
            return AttemptResult.Of(RetryReason.ConnectTimeout, $"no connection to node {leader.NodeId} in time");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return AttemptFault.Of(e, leader.NodeId);
        }
        finally
        {
            watch?.Dispose();
            if (attempt is not null)
            {
                // A body that is still being sent ends with it.
                await attempt.CancelAsync();
                response?.Dispose();
                attempt.Dispose();
            }
        }
    }

    public void Dispose() => _http.Dispose();

    private static AttemptResult Refusal(NodeAnswer answer, RouteEntry leader)
    {
        var problem = answer.Problem();
        return answer.Status == HttpStatusCode.MisdirectedRequest
            ? AttemptResult.Of(RetryReason.NotLeader, $"node {leader.NodeId} does not lead it", problem?.Leader)
            : AttemptResult.Of(RetryReason.Unavailable, $"node {leader.NodeId}: {problem?.Detail ?? "503"}");
    }

    private HttpRequestMessage Message(ForwardedRequest request, string? stamp, RouteEntry leader, TimeSpan waitLeft, bool isFirst)
    {
        var address = string.Concat(leader.Endpoint.AbsoluteUri.TrimEnd('/'), request.Target(waitLeft, isFirst));
        var message = new HttpRequestMessage(request.Method, new Uri(address, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }))
        {
            Content = request.Body.ForAttempt(),
        };
        message.Headers.TryAddWithoutValidation("Authorization", _authorization);
        if (leader.Term > 0)
        {
            message.Headers.TryAddWithoutValidation(BatonHeaders.Term, leader.Term.ToString(CultureInfo.InvariantCulture));
        }

        if (stamp is not null)
        {
            message.Headers.TryAddWithoutValidation(BatonHeaders.Producer, stamp);
        }

        return message;
    }
}
