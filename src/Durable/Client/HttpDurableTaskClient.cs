using System.Net;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text;
using Baton.Core.Api;

namespace Baton.Durable;

/// <summary>The durable client over the extension's management HTTP API.</summary>
public sealed class HttpDurableTaskClient : DurableTaskClient
{
    private const string ContinuationHeader = "x-ms-continuation-token";

    private static readonly TimeSpan FirstPoll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(1);

    private readonly HttpClient _http;
    private readonly string _base;
    private readonly string _query;
    private readonly TimeProvider _time;

    /// <summary>A client of one task hub.</summary>
    /// <param name="http">Makes the calls; stays the caller's.</param>
    /// <param name="httpBaseUrl">From the durable client binding: <c>…/runtime/webhooks/durabletask</c>.</param>
    /// <param name="requiredQueryString">From the binding: task hub, connection and system key, as a query string.</param>
    /// <param name="time">For the waits between polls.</param>
    public HttpDurableTaskClient(HttpClient http, Uri httpBaseUrl, string? requiredQueryString, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(httpBaseUrl);
        _http = http;
        _base = httpBaseUrl.AbsoluteUri.TrimEnd('/');
        _query = requiredQueryString?.Trim('?', '&') ?? string.Empty;
        _time = time ?? TimeProvider.System;
    }

    /// <inheritdoc/>
    public override async Task<string> ScheduleNewOrchestrationInstanceAsync(
        TaskName orchestratorName,
        object? input = null,
        StartOrchestrationOptions? options = null,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(orchestratorName.Name, nameof(orchestratorName));
        string id = InstanceIds.Check(options?.InstanceId ?? Guid.NewGuid().ToString("N"));
        string version = options?.Version is { } given ? $"version={Uri.EscapeDataString(given.Version)}" : string.Empty;
        Uri uri = At($"orchestrators/{Segment(orchestratorName.Name)}/{Segment(id)}", version);
        using HttpResponseMessage response = await _http.PostAsync(uri, input is null ? null : Json(input), cancellation).ConfigureAwait(false);
        if (response.StatusCode is HttpStatusCode.Conflict)
        {
            throw new OrchestrationAlreadyExistsException(id);
        }

        await EnsureAsync(response, $"start of '{orchestratorName}' as", id, cancellation).ConfigureAwait(false);
        return id;
    }

    /// <inheritdoc/>
    public override async Task<OrchestrationMetadata?> GetInstanceAsync(
        string instanceId,
        bool getInputsAndOutputs = false,
        CancellationToken cancellation = default)
    {
        Uri uri = Instance(instanceId, query: getInputsAndOutputs ? "showInput=true" : "showInput=false");
        using HttpResponseMessage response = await _http.GetAsync(uri, cancellation).ConfigureAwait(false);
        if (response.StatusCode is HttpStatusCode.NotFound)
        {
            return null;
        }

        await EnsureAsync(response, "status of", instanceId, cancellation).ConfigureAwait(false);
        InstanceStatus? status = await response.Content.ReadFromJsonAsync<InstanceStatus>(BatonJson.Options, cancellation).ConfigureAwait(false);
        return status?.ToMetadata(getInputsAndOutputs);
    }

    /// <inheritdoc/>
    public override IAsyncEnumerable<OrchestrationMetadata> GetAllInstancesAsync(OrchestrationQuery? filter = null)
    {
        filter ??= new OrchestrationQuery();
        ArgumentOutOfRangeException.ThrowIfLessThan(filter.PageSize, 1, nameof(filter));
        return filter.TaskHubNames?.Any() is true
            ? throw new ArgumentException("This client lists the instances of its own task hub only.", nameof(filter))
            : ListAsync(filter);
    }

    /// <inheritdoc/>
    public override Task<OrchestrationMetadata> WaitForInstanceStartAsync(
        string instanceId,
        bool getInputsAndOutputs = false,
        CancellationToken cancellation = default)
        => PollAsync(instanceId, static instance => instance.RuntimeStatus is not OrchestrationRuntimeStatus.Pending, getInputsAndOutputs, cancellation);

    /// <inheritdoc/>
    public override Task<OrchestrationMetadata> WaitForInstanceCompletionAsync(
        string instanceId,
        bool getInputsAndOutputs = false,
        CancellationToken cancellation = default)
        => PollAsync(instanceId, static instance => instance.IsCompleted, getInputsAndOutputs, cancellation);

    /// <inheritdoc/>
    public override Task RaiseEventAsync(string instanceId, string eventName, object? eventPayload = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(eventName);
        Uri uri = Instance(instanceId, $"/raiseEvent/{Segment(eventName)}");
        return PostAsync(uri, Json(eventPayload), $"event '{eventName}' to", instanceId, cancellation);
    }

    /// <inheritdoc/>
    public override Task TerminateInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default)
        => PostAsync(Instance(instanceId, "/terminate", Reason(reason)), content: null, "termination of", instanceId, cancellation);

    /// <inheritdoc/>
    public override Task SuspendInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default)
        => PostAsync(Instance(instanceId, "/suspend", Reason(reason)), content: null, "suspension of", instanceId, cancellation);

    /// <inheritdoc/>
    public override Task ResumeInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default)
        => PostAsync(Instance(instanceId, "/resume", Reason(reason)), content: null, "resumption of", instanceId, cancellation);

    /// <inheritdoc/>
    public override Task RewindInstanceAsync(string instanceId, string reason, CancellationToken cancellation = default)
        => PostAsync(Instance(instanceId, "/rewind", Reason(reason)), content: null, "rewinding of", instanceId, cancellation);

    /// <inheritdoc/>
    public override async Task<string> RestartAsync(string instanceId, bool restartWithNewInstanceId = false, CancellationToken cancellation = default)
    {
        Uri uri = Instance(instanceId, "/restart", $"restartWithNewInstanceId={(restartWithNewInstanceId ? "true" : "false")}");
        using HttpResponseMessage response = await _http.PostAsync(uri, content: null, cancellation).ConfigureAwait(false);
        if (response.StatusCode is HttpStatusCode.Conflict)
        {
            throw new OrchestrationAlreadyExistsException(instanceId);
        }

        await EnsureAsync(response, "restart of", instanceId, cancellation).ConfigureAwait(false);
        StartAnswer? answer = await response.Content.ReadFromJsonAsync<StartAnswer>(BatonJson.Options, cancellation).ConfigureAwait(false);
        return answer?.Id ?? instanceId;
    }

    /// <inheritdoc/>
    public override Task<PurgeResult> PurgeInstanceAsync(string instanceId, CancellationToken cancellation = default)
        => PurgeAsync(Instance(instanceId), $"purge of instance '{instanceId}'", cancellation);

    /// <inheritdoc/>
    public override Task<PurgeResult> PurgeAllInstancesAsync(PurgeInstancesFilter filter, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return PurgeAsync(At("instances/", InstanceFilterQuery.Of(filter)), "purge", cancellation);
    }

    private static StringContent Json(object? value) => new(DurableJson.Write(value) ?? "null", Encoding.UTF8, "application/json");

    // A URI folds away the segments "." and "..", and the call would go to another resource.
    private static string Segment(string value) => value is not ("." or "..")
        ? Uri.EscapeDataString(value)
        : throw new ArgumentException($"'{value}' can be no name or id.", nameof(value));

    private static string Reason(string? reason) => reason is null ? string.Empty : $"reason={Uri.EscapeDataString(reason)}";

    private static Task EnsureAsync(HttpResponseMessage response, string what, string instanceId, CancellationToken cancellation)
        => EnsureAsync(response, $"{what} instance '{instanceId}'", cancellation);

    private static async Task EnsureAsync(HttpResponseMessage response, string what, CancellationToken cancellation)
    {
        if (!response.IsSuccessStatusCode)
        {
            string body = await response.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
            throw new DurableTaskClientException(
                response.StatusCode,
                $"The host refused the {what} with {(int)response.StatusCode}: {body}");
        }
    }

    private async IAsyncEnumerable<OrchestrationMetadata> ListAsync(OrchestrationQuery filter, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        Uri uri = At("instances/", InstanceFilterQuery.Of(filter));
        string? token = filter.ContinuationToken;
        do
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, uri);
            if (!string.IsNullOrEmpty(token))
            {
                request.Headers.Add(ContinuationHeader, token);
            }

            using HttpResponseMessage response = await _http.SendAsync(request, cancellation).ConfigureAwait(false);
            await EnsureAsync(response, "list of instances", cancellation).ConfigureAwait(false);
            foreach (InstanceStatus status in await response.Content.ReadFromJsonAsync<InstanceStatus[]>(BatonJson.Options, cancellation).ConfigureAwait(false) ?? [])
            {
                yield return status.ToMetadata(filter.FetchInputsAndOutputs);
            }

            // A page may be empty although another follows.
            token = response.Headers.TryGetValues(ContinuationHeader, out IEnumerable<string>? tokens) ? tokens.First() : null;
        }
        while (!string.IsNullOrEmpty(token));
    }

    private async Task<OrchestrationMetadata> PollAsync(
        string instanceId,
        Func<OrchestrationMetadata, bool> isReached,
        bool getInputsAndOutputs,
        CancellationToken cancellation)
    {
        for (TimeSpan wait = FirstPoll; ; wait = wait * 2 < LongestPoll ? wait * 2 : LongestPoll)
        {
            OrchestrationMetadata instance = await GetInstanceAsync(instanceId, getInputsAndOutputs, cancellation).ConfigureAwait(false)
                ?? throw new DurableTaskClientException(HttpStatusCode.NotFound, $"There is no orchestration instance '{instanceId}'.");
            if (isReached(instance))
            {
                return instance;
            }

            await Task.Delay(wait, _time, cancellation).ConfigureAwait(false);
        }
    }

    private async Task<PurgeResult> PurgeAsync(Uri uri, string what, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await _http.DeleteAsync(uri, cancellation).ConfigureAwait(false);
        if (response.StatusCode is HttpStatusCode.NotFound)
        {
            return new PurgeResult(0);
        }

        await EnsureAsync(response, what, cancellation).ConfigureAwait(false);
        PurgeAnswer? answer = await response.Content.ReadFromJsonAsync<PurgeAnswer>(BatonJson.Options, cancellation).ConfigureAwait(false);
        return new PurgeResult(answer?.InstancesDeleted ?? 0);
    }

    private async Task PostAsync(Uri uri, HttpContent? content, string what, string instanceId, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await _http.PostAsync(uri, content, cancellation).ConfigureAwait(false);
        await EnsureAsync(response, what, instanceId, cancellation).ConfigureAwait(false);
    }

    private Uri Instance(string instanceId, string verb = "", string query = "")
        => At($"instances/{Segment(InstanceIds.Check(instanceId))}{verb}", query);

    private Uri At(string path, string query = "")
        => new($"{_base}/{path}?{string.Join('&', new[] { query, _query }.Where(static part => part.Length > 0))}");

    private sealed record PurgeAnswer(int InstancesDeleted);

    private sealed record StartAnswer(string? Id);
}
