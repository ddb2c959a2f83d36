using System.Net;

namespace Baton.ScriptedHandler;

/// <summary>Relays every request to the test at <c>SCRIPT_URL</c> and answers what the test says.</summary>
internal static class Handler
{
    private const int OrderlyExitCode = 200;

    public static async Task<int> RunAsync()
    {
        var script = new Uri(Environment.GetEnvironmentVariable("SCRIPT_URL")!);
        var port = int.Parse(Environment.GetEnvironmentVariable("FUNCTIONS_CUSTOMHANDLER_PORT")!, System.Globalization.CultureInfo.InvariantCulture);
        if (Environment.GetEnvironmentVariable("SCRIPT_EXIT_AT_START") is { } exitAtStart)
        {
            await Console.Error.WriteLineAsync("not today");
            return int.Parse(exitAtStart, System.Globalization.CultureInfo.InvariantCulture);
        }

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k =>
        {
            k.Listen(IPAddress.Loopback, port);
            k.Limits.MaxRequestBodySize = null;
        });
        await using var app = builder.Build();
        using var client = new HttpClient { BaseAddress = script, Timeout = Timeout.InfiniteTimeSpan };
        app.Run(context => RelayAsync(context, client));
        await app.StartAsync();
        await Console.Out.WriteLineAsync($"handler {Environment.ProcessId} listens");

        using var input = Console.OpenStandardInput();
        var buffer = new byte[64];
        while (await input.ReadAsync(buffer) > 0)
        {
        }

        return OrderlyExitCode;
    }

    private static async Task RelayAsync(HttpContext context, HttpClient script)
    {
        if (context.Request is { Method: "GET", Path.Value: "/" })
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var request = new HandlerRequest(
            Environment.ProcessId,
            context.Request.Method,
            context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget,
            context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            body.ToArray());
        using var relayed = await script.PostAsJsonAsync("call", request);
        var answer = (await relayed.Content.ReadFromJsonAsync<HandlerAnswer>())!;
        if (answer.ExitCode is { } code)
        {
            Environment.Exit(code);
        }

        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        foreach (var (name, value) in answer.Headers ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            context.Response.Headers[name] = value;
        }

        await context.Response.Body.WriteAsync(answer.Body);
    }
}
