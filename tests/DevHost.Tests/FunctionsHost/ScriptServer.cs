using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Baton.ScriptedHandler;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Baton.DevHost.Tests.FunctionsHost;

/// <summary>The test's end of the scripted handler: every request that the handler gets is answered here.</summary>
internal sealed class ScriptServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<HandlerRequest> _requests = new();
    private readonly Func<HandlerRequest, Task<HandlerAnswer>> _script;

    private ScriptServer(WebApplication app, Func<HandlerRequest, Task<HandlerAnswer>> script)
    {
        _app = app;
        _script = script;
    }

    /// <summary>What the handler got, in order.</summary>
    public IReadOnlyList<HandlerRequest> Requests => [.. _requests];

    public Uri Address => new(_app.Urls.Single());

    public static async Task<ScriptServer> StartAsync(Func<HandlerRequest, Task<HandlerAnswer>> script)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k =>
        {
            k.Listen(System.Net.IPAddress.Loopback, 0);
            k.Limits.MaxRequestBodySize = null;
        });
        var server = new ScriptServer(builder.Build(), script);
        server._app.Run(server.HandleAsync);
        await server._app.StartAsync();
        return server;
    }

    /// <summary>An envelope's answer.</summary>
    public static HandlerAnswer Json(string json) => new(200, "application/json", Encoding.UTF8.GetBytes(json));

    /// <summary>The envelope that a request carried.</summary>
    public static JsonObject Envelope(HandlerRequest request) => JsonNode.Parse(request.Body)!.AsObject();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task HandleAsync(HttpContext context)
    {
        var request = (await context.Request.ReadFromJsonAsync<HandlerRequest>())!;
        _requests.Enqueue(request);
        await context.Response.WriteAsJsonAsync(await _script(request));
    }
}
