using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Baton.DevHost.Orchestrations;

/// <summary>The Durable extension's HTTP API for clients: start, look after and end instances.</summary>
public static class ManagementApi
{
    /// <summary>Where it is mapped.</summary>
    public const string BasePath = "/runtime/webhooks/durabletask";

    /// <summary>In a list's answer: where the next page begins. In a request for it: the same.</summary>
    internal const string ContinuationHeader = "x-ms-continuation-token";

    private const int MaxTop = 1000;

    /// <summary>Maps the API at <see cref="BasePath"/>.</summary>
    /// <param name="endpoints">The host.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="systemKey">What callers must give as query <c>code</c> or header <c>x-functions-key</c>.</param>
    public static IEndpointConventionBuilder MapDurableManagement(this IEndpointRouteBuilder endpoints, OrchestrationEngine engine, string systemKey)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentException.ThrowIfNullOrWhiteSpace(systemKey);
        var instances = engine.Instances;
        var query = $"taskHub={engine.HubName}&connection=Storage&code={Uri.EscapeDataString(systemKey)}";
        var group = endpoints.MapGroup(BasePath);
        group.AddEndpointFilter((context, next) => GuardAsync(context, next, engine.HubName, systemKey));
        group.MapPost("/orchestrators/{name}/{id?}", (HttpContext http, string name, string? id) => StartAsync(http, instances, name, id, query));
        group.MapGet("/instances/{id}", (HttpContext http, string id) => ReadAsync(http, instances, id));
        group.MapGet("/instances", (Delegate)((HttpContext http) => ListAsync(http, instances)));
        group.MapDelete("/instances/{id}", async (string id, CancellationToken ct) =>
        {
            await instances.PurgeAsync(id, ct);
            return Purged(1);
        });
        group.MapDelete("/instances", (Delegate)((HttpContext http) => PurgeManyAsync(http, instances)));
        group.MapPost("/instances/{id}/raiseEvent/{eventName}", (HttpContext http, string id) => RaiseEventAsync(http, instances, id, EventName(http)));
        MapPost(group, "terminate", instances.TerminateAsync);
        MapPost(group, "suspend", instances.SuspendAsync);
        MapPost(group, "resume", instances.ResumeAsync);
        MapPost(group, "rewind", (id, _, ct) => instances.RewindAsync(id, ct));
        group.MapPost("/instances/{id}/restart", (HttpContext http, string id) => RestartAsync(http, instances, id, query));
        group.Map("/{**path}", (HttpContext http) => Error(StatusCodes.Status404NotFound, $"There is no {http.Request.Method} {http.Request.Path}."));
        return group;
    }

    private static void MapPost(RouteGroupBuilder group, string verb, Func<string, string?, CancellationToken, Task> act) =>
        group.MapPost($"/instances/{{id}}/{verb}", async (string id, string? reason, CancellationToken ct) =>
        {
            await act(id, reason, ct);
            return Results.StatusCode(StatusCodes.Status202Accepted);
        });

    private static async Task<IResult> StartAsync(HttpContext http, InstanceOperations instances, string name, string? id, string query)
    {
        var wait = ManagementQuery.Wait(http);
        var version = http.Request.Query["version"].ToString() is { Length: > 0 } given ? given : null;
        var started = await instances.StartAsync(name, id, await JsonBodyAsync(http), version, http.RequestAborted);
        return await StartedAsync(http, instances, started, wait, query);
    }

    private static async Task<IResult> RestartAsync(HttpContext http, InstanceOperations instances, string id, string query)
    {
        var wait = ManagementQuery.Wait(http);
        var started = await instances.RestartAsync(id, ManagementQuery.Flag(http, "restartWithNewInstanceId", otherwise: true), http.RequestAborted);
        return await StartedAsync(http, instances, started, wait, query);
    }

    /// <summary>The bare output of one that completes in time; the status of one that ends otherwise; else where to ask.</summary>
    private static async Task<IResult> StartedAsync(HttpContext http, InstanceOperations instances, string id, TimeSpan wait, string query)
    {
        if (wait > TimeSpan.Zero && await instances.WaitForCompletionAsync(id, wait, http.RequestAborted) is { IsFinished: true } done)
        {
            return Results.Json(done.RuntimeStatus == "Completed" ? ManagementJson.Parse(done.Output) : ManagementJson.Status(done));
        }

        var body = ManagementJson.CheckStatus(id, new Uri($"{http.Request.Scheme}://{http.Request.Host}{http.Request.PathBase}{BasePath}"), query);
        http.Response.Headers.Location = (string?)body["statusQueryGetUri"];
        http.Response.Headers.RetryAfter = "10";
        return Results.Json(body, statusCode: StatusCodes.Status202Accepted);
    }

    private static async Task<IResult> ReadAsync(HttpContext http, InstanceOperations instances, string id)
    {
        var status = await instances.GetAsync(id, ManagementQuery.Flag(http, "showInput", otherwise: true), http.RequestAborted);
        if (status is null)
        {
            return Error(StatusCodes.Status404NotFound, $"There is no instance '{id}'.");
        }

        var body = ManagementJson.Status(status);
        if (ManagementQuery.Flag(http, "showHistory", otherwise: false))
        {
            body["historyEvents"] = ManagementJson.History(await instances.HistoryAsync(id, http.RequestAborted), ManagementQuery.Flag(http, "showHistoryOutput", otherwise: false));
        }

        if (!status.IsFinished)
        {
            http.Response.Headers.Location = http.Request.GetEncodedUrl();
            http.Response.Headers.RetryAfter = "5";
            return Results.Json(body, statusCode: StatusCodes.Status202Accepted);
        }

        var isError = status.RuntimeStatus == "Failed" && ManagementQuery.Flag(http, "returnInternalServerErrorOnFailure", otherwise: false);
        return Results.Json(body, statusCode: isError ? StatusCodes.Status500InternalServerError : StatusCodes.Status200OK);
    }

    private static async Task<IResult> ListAsync(HttpContext http, InstanceOperations instances)
    {
        var (found, next) = await instances.ListAsync(
            ManagementQuery.Filter(http),
            Math.Min(ManagementQuery.Top(http) ?? MaxTop, MaxTop),
            ManagementQuery.Flag(http, "showInput", otherwise: true),
            ManagementQuery.Continuation(http),
            http.RequestAborted);
        if (next is not null)
        {
            http.Response.Headers[ContinuationHeader] = Convert.ToBase64String(Encoding.UTF8.GetBytes(next));
        }

        return Results.Json(new JsonArray([.. found.Select(ManagementJson.Status)]));
    }

    private static async Task<IResult> PurgeManyAsync(HttpContext http, InstanceOperations instances)
    {
        var filter = ManagementQuery.Filter(http);
        if (filter.CreatedFrom is null)
        {
            return Error(StatusCodes.Status400BadRequest, "Please provide value for 'createdTimeFrom' parameter.");
        }

        var deleted = 0;
        string? continuation = null;
        do
        {
            (var found, continuation) = await instances.ListAsync(filter, MaxTop, showInput: false, continuation, http.RequestAborted);
            foreach (var instance in found.Where(i => i.IsFinished))
            {
                deleted += await TryPurgeAsync(instances, instance.InstanceId, http.RequestAborted) ? 1 : 0;
            }
        }
        while (continuation is not null);
        return deleted == 0 ? Error(StatusCodes.Status404NotFound, "No instance that has ended matches.") : Purged(deleted);
    }

    private static async Task<bool> TryPurgeAsync(InstanceOperations instances, string id, CancellationToken ct)
    {
        try
        {
            await instances.PurgeAsync(id, ct);
            return true;
        }
        catch (InstanceRequestException e) when (e.Status is StatusCodes.Status404NotFound or StatusCodes.Status412PreconditionFailed)
        {
            // Purged or started again since it was listed.
            return false;
        }
    }

    private static async Task<IResult> RaiseEventAsync(HttpContext http, InstanceOperations instances, string id, string eventName)
    {
        // The extension looks for the instance before it looks at the body.
        var status = await instances.GetAsync(id, showInput: false, http.RequestAborted) ?? throw new InstanceRequestException(404, $"There is no instance '{id}'.");
        if (status.IsFinished)
        {
            return Error(StatusCodes.Status410Gone, $"Instance '{id}' has ended.");
        }

        if (!MediaTypeHeaderValue.TryParse(http.Request.ContentType, out var type) || !type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
        {
            return Error(StatusCodes.Status400BadRequest, "Only application/json request content is supported");
        }

        await instances.RaiseEventAsync(id, eventName, await JsonBodyAsync(http), http.RequestAborted);
        return Results.StatusCode(StatusCodes.Status202Accepted);
    }

    private static async ValueTask<object?> GuardAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next, string hubName, string systemKey)
    {
        var request = context.HttpContext.Request;
        string? given = request.Headers["x-functions-key"];
        given = string.IsNullOrEmpty(given) ? request.Query["code"] : given;
        if (!CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(given ?? "")), SHA256.HashData(Encoding.UTF8.GetBytes(systemKey))))
        {
            return Results.StatusCode(StatusCodes.Status401Unauthorized);
        }

        if (request.Query["taskHub"].ToString() is { Length: > 0 } hub && !string.Equals(hub, hubName, StringComparison.OrdinalIgnoreCase))
        {
            return Error(StatusCodes.Status400BadRequest, $"This host has the task hub '{hubName}', not '{hub}'.");
        }

        try
        {
            return await next(context);
        }
        catch (InstanceRequestException e)
        {
            return Error(e.Status, e.Message);
        }
        catch (Exception e) when (!context.HttpContext.RequestAborted.IsCancellationRequested && e is not BadHttpRequestException)
        {
            return Results.Json(ManagementJson.Fault(e), statusCode: StatusCodes.Status500InternalServerError);
        }
    }

    private static IResult Purged(int count) => Results.Json(new JsonObject { ["instancesDeleted"] = count });

    private static IResult Error(int status, string message) => Results.Json(new JsonObject { ["Message"] = message }, statusCode: status);

    // Not the route's value: in that an escaped slash stays escaped, so that it looks like the text "%2F".
    private static string EventName(HttpContext http)
    {
        var path = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?')[0].TrimEnd('/');
        return Uri.UnescapeDataString(path[(path.LastIndexOf('/') + 1)..]);
    }

    private static async Task<string?> JsonBodyAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body, Encoding.UTF8);
        var text = await reader.ReadToEndAsync(http.RequestAborted);
        if (string.IsNullOrWhiteSpace(text))
        {
            return null;
        }

        try
        {
            using var parsed = JsonDocument.Parse(text);
            return text;
        }
        catch (JsonException e)
        {
            throw new InstanceRequestException(400, $"Invalid JSON content: {e.Message}");
        }
    }
}
