using System.Net;
using System.Net.Http.Json;
using System.Text;
using Baton.Core.Api;

namespace Baton.Durable;

/// <summary>The durable client over the extension's management HTTP API.</summary>
public sealed class HttpDurableTaskClient : DurableTaskClient
{
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
        string id = CheckId(options?.InstanceId ?? Guid.NewGuid().ToString("N"));
        Uri uri = At($"orchestrators/{Segment(orchestratorName.Name)}/{Segment(id)}");
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
    public override async Task<OrchestrationMetadata> WaitForInstanceCompletionAsync(
        string instanceId,
        bool getInputsAndOutputs = false,
        CancellationToken cancellation = default)
    {
        for (TimeSpan wait = FirstPoll; ; wait = wait * 2 < LongestPoll ? wait * 2 : LongestPoll)
        {
            OrchestrationMetadata instance = await GetInstanceAsync(instanceId, getInputsAndOutputs, cancellation).ConfigureAwait(false)
                ?? throw new DurableTaskClientException(HttpStatusCode.NotFound, $"There is no orchestration instance '{instanceId}'.");
            if (instance.IsCompleted)
            {
                return instance;
            }

            await Task.Delay(wait, _time, cancellation).ConfigureAwait(false);
        }
    }

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
    public override async Task<PurgeResult> PurgeInstanceAsync(string instanceId, CancellationToken cancellation = default)
    {
        using HttpResponseMessage response = await _http.DeleteAsync(Instance(instanceId), cancellation).ConfigureAwait(false);
        if (response.StatusCode is HttpStatusCode.NotFound)
        {
            return new PurgeResult(0);
        }

        await EnsureAsync(response, "purge of", instanceId, cancellation).ConfigureAwait(false);
        PurgeAnswer? answer = await response.Content.ReadFromJsonAsync<PurgeAnswer>(BatonJson.Options, cancellation).ConfigureAwait(false);
        return new PurgeResult(answer?.InstancesDeleted ?? 0);
    }

    private static string CheckId(string instanceId)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(instanceId);
        return instanceId[0] != '@' && !instanceId.Any(static c => c is '/' or '\\' or '#' or '?' || char.IsControl(c))
            ? instanceId
            : throw new ArgumentException(
                $"'{instanceId}' is no instance id: it may not begin with '@' nor hold '/', '\\', '#', '?' or control characters.",
                nameof(instanceId));
    }

    private static StringContent Json(object? value) => new(DurableJson.Write(value) ?? "null", Encoding.UTF8, "application/json");

    // A URI folds away the segments "." and "..", and the call would go to another resource.
    private static string Segment(string value) => value is not ("." or "..")
        ? Uri.EscapeDataString(value)
        : throw new ArgumentException($"'{value}' can be no name or id.", nameof(value));

    private static string Reason(string? reason) => reason is null ? string.Empty : $"reason={Uri.EscapeDataString(reason)}";

    private static async Task EnsureAsync(HttpResponseMessage response, string what, string instanceId, CancellationToken cancellation)
    {
        if (!response.IsSuccessStatusCode)
        {
            string body = await response.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
            throw new DurableTaskClientException(
                response.StatusCode,
                $"The host refused the {what} instance '{instanceId}' with {(int)response.StatusCode}: {body}");
        }
    }

    private async Task PostAsync(Uri uri, HttpContent? content, string what, string instanceId, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await _http.PostAsync(uri, content, cancellation).ConfigureAwait(false);
        await EnsureAsync(response, what, instanceId, cancellation).ConfigureAwait(false);
    }

    private Uri Instance(string instanceId, string verb = "", string query = "")
        => At($"instances/{Segment(CheckId(instanceId))}{verb}", query);

    private Uri At(string path, string query = "")
        => new($"{_base}/{path}?{string.Join('&', new[] { query, _query }.Where(static part => part.Length > 0))}");

    private sealed record PurgeAnswer(int InstancesDeleted);
}
