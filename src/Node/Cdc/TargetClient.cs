using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Edge.Connections;
using Microsoft.Extensions.Options;

namespace Baton.Node.Cdc;

/// <summary>HTTP to other clusters. No proxy, no cookies, and no redirects: a token goes to the address that the configuration gives, and to the nodes that are named there.</summary>
internal sealed class TargetHttp(IOptions<CdcSettings> settings) : IDisposable
{
    /// <summary>Bytes of an answer; the routes of a thousand channels take a tenth of it.</summary>
    private const int MaxAnswerBytes = 4 * 1024 * 1024;

    /// <summary>The client. Every call has a limit of its own.</summary>
    public HttpClient Client { get; } = new(new ConnectFaults(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        ConnectTimeout = TimeSpan.FromMilliseconds(settings.Value.RequestTimeoutMs),
    }))
    {
        Timeout = Timeout.InfiniteTimeSpan,
        MaxResponseContentBufferSize = MaxAnswerBytes,
    };

    public void Dispose() => Client.Dispose();
}

/// <summary>One task's calls to its target. It keeps who leads the channel there, and asks anew after whatever went wrong. Used by one caller at a time; no call throws but by its token.</summary>
/// <param name="http">The connections.</param>
/// <param name="task">What is sent, to whom.</param>
/// <param name="clusterId">This cluster.</param>
/// <param name="timeout">What one call may take.</param>
internal sealed class TargetClient(TargetHttp http, CdcTaskView task, string clusterId, TimeSpan timeout)
{
    /// <summary>How often one request follows a hint to another node before the route is asked again.</summary>
    private const int MaxHops = 2;

    private const int MaxReasonLength = 500;

    private Uri? _leader;
    private Uri? _lastLeader;

    /// <summary>Sends records to the leader of the target channel; none only asks how far it is.</summary>
    public async Task<TargetAnswer> ReplicateAsync(IReadOnlyList<ReadMessage> records, CancellationToken ct)
    {
        if (_leader is null && await FindLeaderAsync(ct) is { } problem)
        {
            return problem;
        }

        var body = JsonSerializer.SerializeToUtf8Bytes(new ReplicateRequest(clusterId, task.Channel, records), BatonJson.Options);
        TargetAnswer answer;
        for (var hops = 0; ; hops++)
        {
            (answer, var hint) = await PostAsync(_leader!, body, records.Count, ct);
            if (hint is null || hint == _leader || hops == MaxHops)
            {
                break;
            }

            _leader = hint;
        }

        // Who only has too much to do still leads. Who takes nothing may have been replaced without knowing it, and would say the same for ever; or something else has its address by now.
        var leads = answer.Outcome is TargetOutcome.Taken or TargetOutcome.Departed || answer.Kind == "overloaded";
        _lastLeader = leads || answer.Kind == "refused" ? _leader : _lastLeader;
        _leader = leads ? _leader : null;
        return answer;
    }

    /// <summary>Null where a leader is known now.</summary>
    private async Task<TargetAnswer?> FindLeaderAsync(CancellationToken ct)
    {
        if (AddressOf(task.Uri) is not { } address)
        {
            return TargetAnswer.Wrong($"the address of cluster {task.TargetCluster} is neither http nor https");
        }

        var problem = await CallAsync(
            HttpMethod.Get,
            new Uri(address, "api/replication/route"),
            null,
            async (answer, token) =>
            {
                if (answer.StatusCode != HttpStatusCode.OK)
                {
                    return (await ClassifyAsync(answer, token)).Answer;
                }

                var route = await answer.Content.ReadFromJsonAsync<RouteView>(BatonJson.Options, token);
                if (route?.Channels is null || !route.Channels.TryGetValue(task.TargetChannel, out var entry) || entry is not { Endpoint.IsAbsoluteUri: true })
                {
                    return TargetAnswer.Retry("no_leader", $"cluster {task.TargetCluster} says that nobody leads channel {task.TargetChannel}");
                }

                _leader = entry.Endpoint;
                return null;
            },
            ct);
        if (problem is { Outcome: TargetOutcome.Retry } && _lastLeader is not null)
        {
            // Nodes serve on while their control plane is away.
            (_leader, _lastLeader) = (_lastLeader, null);
            return null;
        }

        return problem;
    }

    private async Task<(TargetAnswer Answer, Uri? Hint)> PostAsync(Uri leader, byte[] body, int records, CancellationToken ct)
    {
        Uri? hint = null;
        var answer = await CallAsync(
            HttpMethod.Post,
            new Uri(leader.AsFolder(), $"channels/{task.TargetChannel}/replicate"),
            body,
            async (answer, token) =>
            {
                if (answer.StatusCode == HttpStatusCode.OK)
                {
                    return await answer.Content.ReadFromJsonAsync<ReplicateResponse>(BatonJson.Options, token) is { } response && response.Appended + response.Ignored == records
                        ? TargetAnswer.Taken(response)
                        : TargetAnswer.Retry("nonsense", $"{leader.Authority} does not account for the {records} records that it was sent");
                }

                (var problem, hint) = await ClassifyAsync(answer, token);
                return problem;
            },
            ct);
        return (answer!, hint);
    }

    private async Task<TargetAnswer?> CallAsync(HttpMethod method, Uri address, byte[]? body, Func<HttpResponseMessage, CancellationToken, Task<TargetAnswer?>> read, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(timeout);
        using var request = new HttpRequestMessage(method, address);
        try
        {
            request.Headers.Authorization = string.IsNullOrEmpty(task.Token) ? null : new AuthenticationHeaderValue("Bearer", task.Token);
            if (body is not null)
            {
                request.Content = new ByteArrayContent(body);
                request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            }

            using var answer = await http.Client.SendAsync(request, limit.Token);
            return await read(answer, limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return TargetAnswer.Retry("timeout", $"no answer from {address.Authority} within {timeout.TotalMilliseconds} ms");
        }
        catch (HttpRequestException e)
        {
            return TargetAnswer.Retry("unreachable", $"{address.Authority} cannot be reached: {e.Message}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or NotSupportedException)
        {
            return TargetAnswer.Retry("nonsense", $"{address.Authority} answered what belongs nowhere here");
        }
        catch (FormatException)
        {
            // Its message would quote the token.
            return TargetAnswer.Wrong($"the token of cluster {task.TargetCluster} cannot be sent in a header");
        }
    }

    private async Task<(TargetAnswer Answer, Uri? Hint)> ClassifyAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        var (status, problem) = ((int)answer.StatusCode, await ProblemOfAsync(answer, ct));
        var reason = $"{answer.RequestMessage!.RequestUri!.Authority} answered {status}: {Short(problem?.Detail ?? "no detail")}";
        return (status switch
        {
            401 or 403 => TargetAnswer.Refused("unauthorized", $"{reason} (the token of cluster {task.TargetCluster} in the configuration must be its Cluster:ReplicationSecret)"),
            409 when problem?.Departure is { From: not null } departure && IsOfThisTask(departure) => new TargetAnswer(TargetOutcome.Departed, "departed", reason) { Departure = departure },
            409 => TargetAnswer.Refused("refused", reason),
            421 => TargetAnswer.Retry("not_leader", reason),
            408 => TargetAnswer.Retry("timeout", reason),
            429 => TargetAnswer.Retry("overloaded", reason, AfterOf(answer)),
            >= 500 => TargetAnswer.Retry("unavailable", reason, AfterOf(answer)),
            _ => TargetAnswer.Wrong(reason),
        }, status == 421 && problem?.Leader?.Endpoint is { IsAbsoluteUri: true } hint ? hint : null);
    }

    // A departure ends the task for good, so one that is about something else is a refusal like any other.
    private bool IsOfThisTask(ReplicateDeparture departure) =>
        string.Equals(departure.By, task.TargetCluster, StringComparison.Ordinal)
        && string.Equals(departure.From.ClusterId, clusterId, StringComparison.Ordinal)
        && string.Equals(departure.From.Channel, task.Channel, StringComparison.Ordinal);

    private static async Task<Problem?> ProblemOfAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        try
        {
            return await answer.Content.ReadFromJsonAsync<Problem>(BatonJson.Options, ct);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static TimeSpan? AfterOf(HttpResponseMessage answer) => answer.Headers.RetryAfter?.Delta;

    private static string Short(string text) => text.Length <= MaxReasonLength ? text : text[..MaxReasonLength];

    /// <summary>host:port means https.</summary>
    private static Uri? AddressOf(string text)
    {
        var absolute = text.Contains("://", StringComparison.Ordinal) ? text : "https://" + text;
        return Uri.TryCreate(absolute, UriKind.Absolute, out var uri) && uri.IsHttp() ? uri.AsFolder() : null;
    }
}
