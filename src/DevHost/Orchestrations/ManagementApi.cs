using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;

namespace Baton.DevHost.Orchestrations;

/// <summary>The Durable extension's HTTP API for clients: start, look after and end instances.</summary>
public static class ManagementApi
{
    /// <summary>Where it is mapped.</summary>
    public const string BasePath = "/runtime/webhooks/durabletask";

    private const string ContinuationHeader = "x-ms-continuation-token";
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
        group.AddEndpointFilter((context, next) => GuardAsync(context, next, systemKey));
        group.MapPost("/orchestrators/{name}/{id?}", (HttpContext http, string name, string? id) => StartAsync(http, instances, name, id, query));
        group.MapGet("/instances/{id}", (HttpContext http, string id) => ReadAsync(http, instances, id, query));
        group.MapGet("/instances", (Delegate)((HttpContext http) => ListAsync(http, instances)));
        group.MapDelete("/instances/{id}", async (string id, CancellationToken ct) =>
        {
            await instances.PurgeAsync(id, ct);
            return Results.Json(new JsonObject { ["instancesDeleted"] = 1 });
        });
        group.MapDelete("/instances", (Delegate)((HttpContext http) => PurgeManyAsync(http, instances)));
        group.MapPost("/instances/{id}/raiseEvent/{eventName}", async (HttpContext http, string id) =>
        {
            await instances.RaiseEventAsync(id, EventName(http), await JsonBodyAsync(http), http.RequestAborted);
            return Results.StatusCode(StatusCodes.Status202Accepted);
        });
        MapPost(group, "terminate", instances.TerminateAsync);
        MapPost(group, "suspend", instances.SuspendAsync);
        MapPost(group, "resume", instances.ResumeAsync);
        group.MapPost("/instances/{id}/rewind", (string id) => Error(StatusCodes.Status501NotImplemented, $"Instance '{id}' cannot be rewound: this engine does not support it."));
        group.MapPost("/instances/{id}/restart", async (HttpContext http, string id) =>
            CheckStatus(http, await instances.RestartAsync(id, Flag(http, "restartWithNewInstanceId", otherwise: true), http.RequestAborted), query));
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
        var timeout = Seconds(http, "timeout");
        var started = await instances.StartAsync(name, id, await JsonBodyAsync(http), http.RequestAborted);
        if (timeout > TimeSpan.Zero && await instances.WaitForCompletionAsync(started, timeout, http.RequestAborted) is { RuntimeStatus: "Completed" } done)
        {
            return Results.Json(ManagementJson.Parse(done.Output));
        }

        return CheckStatus(http, started, query);
    }

    private static async Task<IResult> ReadAsync(HttpContext http, InstanceOperations instances, string id, string query)
    {
        var status = await instances.GetAsync(id, Flag(http, "showInput", otherwise: true), http.RequestAborted);
        if (status is null)
        {
            return Error(StatusCodes.Status404NotFound, $"There is no instance '{id}'.");
        }

        var body = ManagementJson.Status(status);
        if (Flag(http, "showHistory", otherwise: false))
        {
            var showOutput = Flag(http, "showHistoryOutput", otherwise: false);
            body["historyEvents"] = new JsonArray([.. (await instances.HistoryAsync(id, http.RequestAborted)).Select(e => ManagementJson.Event(e, showOutput))]);
        }

        if (!status.IsFinished)
        {
            http.Response.Headers.Location = $"{Root(http).AbsoluteUri}/instances/{Uri.EscapeDataString(id)}?{query}";
            http.Response.Headers.RetryAfter = "5";
            return Results.Json(body, statusCode: StatusCodes.Status202Accepted);
        }

        var isError = status.RuntimeStatus == "Failed" && Flag(http, "returnInternalServerErrorOnFailure", otherwise: false);
        return Results.Json(body, statusCode: isError ? StatusCodes.Status500InternalServerError : StatusCodes.Status200OK);
    }

    private static async Task<IResult> ListAsync(HttpContext http, InstanceOperations instances)
    {
        var top = http.Request.Query["top"] is [{ Length: > 0 } text]
            ? int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0 ? Math.Min(n, MaxTop) : throw new InstanceRequestException(400, "top must be a whole number above 0.")
            : MaxTop;
        string? continuation = http.Request.Headers[ContinuationHeader];
        var (found, next) = await instances.ListAsync(
            Filter(http),
            top,
            Flag(http, "showInput", otherwise: true),
            string.IsNullOrEmpty(continuation) ? null : Encoding.UTF8.GetString(Convert.FromBase64String(continuation)),
            http.RequestAborted);
        if (next is not null)
        {
            http.Response.Headers[ContinuationHeader] = Convert.ToBase64String(Encoding.UTF8.GetBytes(next));
        }

        return Results.Json(new JsonArray([.. found.Select(ManagementJson.Status)]));
    }

    private static async Task<IResult> PurgeManyAsync(HttpContext http, InstanceOperations instances)
    {
        var filter = Filter(http);
        if (filter.CreatedFrom is null)
        {
            return Error(StatusCodes.Status400BadRequest, "createdTimeFrom is needed.");
        }

        var deleted = 0;
        string? continuation = null;
        do
        {
            (var found, continuation) = await instances.ListAsync(filter, MaxTop, showInput: false, continuation, http.RequestAborted);
            foreach (var instance in found.Where(i => i.IsFinished))
            {
                await instances.PurgeAsync(instance.InstanceId, http.RequestAborted);
                deleted++;
            }
        }
        while (continuation is not null);
        return deleted == 0 ? Error(StatusCodes.Status404NotFound, "No instance that has ended matches.") : Results.Json(new JsonObject { ["instancesDeleted"] = deleted });
    }

    private static async ValueTask<object?> GuardAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next, string systemKey)
    {
        var request = context.HttpContext.Request;
        string? given = request.Headers["x-functions-key"];
        given = string.IsNullOrEmpty(given) ? request.Query["code"] : given;
        if (!CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(given ?? "")), SHA256.HashData(Encoding.UTF8.GetBytes(systemKey))))
        {
            return Results.StatusCode(StatusCodes.Status401Unauthorized);
        }

        try
        {
            return await next(context);
        }
        catch (InstanceRequestException e)
        {
            return Error(e.Status, e.Message);
        }
    }

    private static IResult CheckStatus(HttpContext http, string id, string query)
    {
        var body = ManagementJson.CheckStatus(id, Root(http), query);
        http.Response.Headers.Location = (string?)body["statusQueryGetUri"];
        http.Response.Headers.RetryAfter = "10";
        return Results.Json(body, statusCode: StatusCodes.Status202Accepted);
    }

    private static IResult Error(int status, string message) => Results.Json(new JsonObject { ["Message"] = message }, statusCode: status);

    private static Uri Root(HttpContext http) => new($"{http.Request.Scheme}://{http.Request.Host}{http.Request.PathBase}{BasePath}");

    // Not the route's value: in that an escaped slash stays escaped, so that it looks like the text "%2F".
    private static string EventName(HttpContext http)
    {
        var path = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?')[0].TrimEnd('/');
        return Uri.UnescapeDataString(path[(path.LastIndexOf('/') + 1)..]);
    }

    private static bool Flag(HttpContext http, string name, bool otherwise) => bool.TryParse(http.Request.Query[name], out var flag) ? flag : otherwise;

    private static TimeSpan Seconds(HttpContext http, string name)
    {
        if (http.Request.Query[name] is not [{ Length: > 0 } text])
        {
            return TimeSpan.Zero;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0 and <= 3600
            ? TimeSpan.FromSeconds(seconds)
            : throw new InstanceRequestException(400, $"{name} must be a number of seconds from 0 to 3600.");
    }

    private static InstanceFilter Filter(HttpContext http)
    {
        var query = http.Request.Query;
        return new InstanceFilter(
            query["instanceIdPrefix"],
            Time("createdTimeFrom"),
            Time("createdTimeTo"),
            query["runtimeStatus"].ToString() is { Length: > 0 } statuses ? statuses.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : null);

        DateTimeOffset? Time(string name)
        {
            if (query[name] is not [{ Length: > 0 } text])
            {
                return null;
            }

            return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
                ? time
                : throw new InstanceRequestException(400, $"{name} is not a time.");
        }
    }

    private static async Task<string?> JsonBodyAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body, Encoding.UTF8);
        var text = await reader.ReadToEndAsync(http.RequestAborted);
        if (string.IsNullOrWhiteSpace(text))
        {
            return null;
        }

        if (!http.Request.HasJsonContentType())
        {
            throw new InstanceRequestException(400, "The body must be application/json.");
        }

        try
        {
            using var parsed = JsonDocument.Parse(text);
            return text;
        }
        catch (JsonException e)
        {
            throw new InstanceRequestException(400, $"The body is not JSON: {e.Message}");
        }
    }
}
