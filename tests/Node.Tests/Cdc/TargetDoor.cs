using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Baton.Core.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Baton.Node.Tests.Cdc;

/// <summary>What becomes of a request at the door.</summary>
internal enum Fate
{
    /// <summary>It goes through, and so does its answer.</summary>
    Through,

    /// <summary>It goes through, and its answer is lost.</summary>
    AnswerLost,

    /// <summary>It is lost.</summary>
    Lost,
}

/// <summary>Stands before the leader of the target channel: remembers what came, and loses what the test wants lost.</summary>
internal sealed class TargetDoor : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _http = new();

    private TargetDoor(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    /// <summary>The node behind it.</summary>
    public Uri? Behind { get; set; }

    /// <summary>What becomes of a request, by its records.</summary>
    public Func<ReplicateRequest, Fate> Decides { get; set; } = _ => Fate.Through;

    /// <summary>Every request that came, whatever became of it.</summary>
    public ConcurrentQueue<ReplicateRequest> Came { get; } = new();

    /// <summary>LSNs of every record that came, in that order.</summary>
    public long[] Lsns => [.. Came.SelectMany(r => r.Records).Select(r => r.Lsn)];

    public static async Task<TargetDoor> OpenAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var door = new TargetDoor(app);
        app.MapPost("/channels/{channel}/replicate", door.PassAsync);
        await app.StartAsync();
        return door;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task PassAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var request = JsonSerializer.Deserialize<ReplicateRequest>(body.ToArray(), BatonJson.Options)!;
        Came.Enqueue(request);
        var fate = Decides(request);
        if (fate == Fate.Lost || Behind is null)
        {
            context.Abort();
            return;
        }

        using var forward = new HttpRequestMessage(HttpMethod.Post, new Uri(Behind, context.Request.Path));
        forward.Content = new ByteArrayContent(body.ToArray());
        forward.Content.Headers.ContentType = new("application/json");
        forward.Headers.TryAddWithoutValidation("Authorization", context.Request.Headers.Authorization.ToString());
        using var answer = await _http.SendAsync(forward);
        var content = await answer.Content.ReadAsByteArrayAsync();
        if (fate == Fate.AnswerLost)
        {
            context.Abort();
            return;
        }

        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        await context.Response.Body.WriteAsync(content);
    }
}
