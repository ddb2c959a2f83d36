using System.Text.Json;
using Baton.Core.Api;
using Baton.Durable;
using Baton.Functions.Hosting;
using Microsoft.AspNetCore.Http;

namespace Baton.Functions.Tests.Hosting;

/// <summary>What the sample functions saw, for tests to look at.</summary>
public sealed class Seen
{
    private readonly Dictionary<string, object?> values = new(StringComparer.Ordinal);

    public object? this[string what]
    {
        get
        {
            lock (values)
            {
                return values.GetValueOrDefault(what);
            }
        }

        set
        {
            lock (values)
            {
                values[what] = value;
            }
        }
    }
}

/// <summary>A function's view of an HTTP request.</summary>
public sealed record RequestView(
    string Method,
    string Host,
    string Path,
    IReadOnlyDictionary<string, string> Route,
    IReadOnlyDictionary<string, string> Query,
    IReadOnlyDictionary<string, string> Headers,
    long? ContentLength,
    byte[] Body);

public sealed record Order(string Id, int Count, string? Note = null);

public sealed class HttpFunctions(Seen seen)
{
    [Function("Echo")]
    public static async Task<IResult> EchoAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "put", "post", "delete", Route = "echo/{id}/parts/{part}")] HttpRequest request)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        return Results.Json(
            new RequestView(
                request.Method,
                request.Host.Value!,
                request.Path.Value!,
                request.RouteValues.ToDictionary(x => x.Key, x => x.Value!.ToString()!, StringComparer.OrdinalIgnoreCase),
                request.Query.ToDictionary(x => x.Key, x => x.Value.ToString(), StringComparer.OrdinalIgnoreCase),
                request.Headers.ToDictionary(x => x.Key.ToLowerInvariant(), x => string.Join(',', request.Headers.GetCommaSeparatedValues(x.Key)), StringComparer.OrdinalIgnoreCase),
                request.ContentLength,
                body.ToArray()),
            BatonJson.Options);
    }

    [Function("Answers")]
    public static IResult Answer([HttpTrigger(AuthorizationLevel.Function, "get", "head", Route = "answers/{kind}")] HttpRequest request)
    {
        request.HttpContext.Response.Headers["X-Set-Before"] = "kept";
        return (string)request.RouteValues["kind"]! switch
        {
            "json" => Results.Ok(new { At = DateTimeOffset.UnixEpoch, Nothing = (string?)null, State = UpdateOutcome.Applied }),
            "created" => Results.Created("/api/answers/1", new Order("a", 1)),
            "empty" => Results.NoContent(),
            "unchanged" => Results.StatusCode(StatusCodes.Status304NotModified),
            "base64" => Results.Text("dGVzdA=="),
            "unicode" => Results.Text("grüße, 世界 🚀 \u0001"),
            "binary" => Results.Bytes(new byte[] { 0, 159, 146, 150 }),
            _ => Results.NotFound(),
        };
    }

    [Function("Faults")]
    public static async Task<IResult> FaultAsync(
        [HttpTrigger(AuthorizationLevel.Admin, "get", "post", Route = "faults/{kind}")] HttpRequest request, CancellationToken cancellationToken)
    {
        switch ((string)request.RouteValues["kind"]!)
        {
            case "body":
                return Results.Ok(await RequestBody.ReadAsync<Order>(request, 1000, cancellationToken));
            case "large":
                return Results.Ok(await RequestBody.ReadAsync<Order>(request, int.MaxValue, cancellationToken));
            case "half":
                return new HalfWritten();
            case "null":
                return null!;
            case "secret":
                request.HttpContext.Response.Headers["X-Secret"] = "hunter2";
                throw new InvalidOperationException("The account key is hunter2.");
            case "later":
                throw new ApiException(ApiErrorCode.Unavailable, "Storage is away.") { RetryAfterSeconds = 7 };
            case "leader":
                throw new ApiException(ApiErrorCode.NotLeader, "Go there.") { Leader = new LeaderHint("n1", new Uri("http://n1:7301/"), 3) };
            case var kind:
                throw new ApiException(Enum.Parse<ApiErrorCode>(kind), $"This is {kind}.");
        }
    }

    [Function("Waits")]
    public async Task<IResult> WaitAsync([HttpTrigger(AuthorizationLevel.Function, "get", Route = "waits")] HttpRequest request, CancellationToken cancellationToken)
    {
        seen["waiting"] = request.Path.Value;
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        finally
        {
            seen["waited"] = true;
        }

        return Results.Ok();
    }

    [Function("Starts")]
    public static async Task<IResult> StartAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "starts")] HttpRequest request, [DurableClient] DurableTaskClient client)
    {
        var order = await RequestBody.ReadAsync<Order>(request, 1000);
        var id = await client.ScheduleNewOrchestrationInstanceAsync("Ordering", order, new StartOrchestrationOptions(order.Id));
        return Results.Accepted($"/api/orders/{id}");
    }

    [Function("Reports")]
    public static Task<Reported> ReportAsync([HttpTrigger(AuthorizationLevel.Function, "post", Route = "reports")] HttpRequest request) =>
        Task.FromResult(new Reported(
            request.Query.ContainsKey("fail") ? throw new ApiException(ApiErrorCode.Conflict, "Not now.") : Results.Accepted(),
            request.Query.ContainsKey("bad") ? "dGVzdA==" : """{"at":"2026-01-02T03:04:05.1200000Z"}"""));
}

public sealed record Reported([property: HttpResult] IResult Answer, [property: ServiceBusOutput("reports", Connection = "Bus")] string? Message);

public sealed record Sent(
    [property: ServiceBusOutput("first", Connection = "Bus")] string? First,
    [property: ServiceBusOutput("second", Connection = "Bus")] IReadOnlyList<string>? Second);

public sealed class EventFunctions(Seen seen)
{
    [Function("OnOrder")]
    public async Task<Sent?> OnOrderAsync(
        [ServiceBusTrigger("orders", Connection = "Bus")] ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        seen["message"] = message.ToArray();
        await Task.Delay(1, cancellationToken);
        return message.Length == 0 ? null : new Sent("""{"first":true}""", ["""{"n":1}""", """{"n":2}"""]);
    }

    [Function("OnTick")]
    public void OnTick([TimerTrigger("%TickSchedule%")] TimerInfo tick) => seen["tick"] = tick;

    [Function("OnBadTick")]
    public static void OnBadTick([TimerTrigger("0 */5 * * * *")] TimerInfo tick) => throw new InvalidOperationException("The account key is hunter2.");
}

public sealed class Workflow
{
    [Function("Ordering")]
    public static async Task<string> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var order = context.GetInput<Order>()!;
        var stamp = await context.CallActivityAsync<string>("Stamp", order);
        return $"{order.Id}: {stamp}";
    }

    [Function("Breaking")]
    public static Task BreakAsync([OrchestrationTrigger] TaskOrchestrationContext context) => throw new InvalidOperationException("No way.");

    [Function("Stamp")]
    public static string Stamp([ActivityTrigger] Order order) => order.Note ?? throw new ApiException(ApiErrorCode.Conflict, "An order needs a note.");

    [Function("Measure")]
    public static string Measure([ActivityTrigger] JsonElement? input) => input is { } json ? $"{json.ValueKind}:{json.GetRawText().Length}" : "none";

    [Function("Shout")]
    public static string Shout([ActivityTrigger] string text) => text.ToUpperInvariant();
}

/// <summary>An answer that breaks when part of it is written.</summary>
internal sealed class HalfWritten : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = StatusCodes.Status200OK;
        httpContext.Response.Headers["X-Half"] = "written";
        await httpContext.Response.WriteAsync("{\"half\":");
        httpContext.Response.BodyWriter.GetSpan(10)[0] = (byte)'x';
        httpContext.Response.BodyWriter.Advance(1);
        throw new InvalidOperationException("The account key is hunter2.");
    }
}
