using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Baton.Core.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Baton.Gateway.Tests.Harness;

/// <summary>A control plane whose route the test writes, and which remembers what was reported.</summary>
internal sealed class ScriptedControlPlane : IAsyncDisposable
{
    public const string Key = "function-key-of-the-test";

    private readonly WebApplication _app;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, RouteEntry> _channels = new(StringComparer.Ordinal);
    private readonly HashSet<string> _offline = new(StringComparer.Ordinal);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _version = 1;

    private ScriptedControlPlane(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    /// <summary>Reports taken, in the order they came.</summary>
    public ConcurrentQueue<(string NodeId, NodeFailedRequest Report)> Reports { get; } = new();

    /// <summary>Polls for the route: what they had.</summary>
    public ConcurrentQueue<long?> Polls { get; } = new();

    /// <summary>While true, every connection is cut without an answer.</summary>
    public bool Away { get; set; }

    /// <summary>While false, reports are answered 503.</summary>
    public bool TakesReports { get; set; } = true;

    /// <summary>Reports that were answered 503.</summary>
    public int RefusedReports;

    /// <summary>Sees each report before it is answered: the control plane acts on it.</summary>
    public Action<string, NodeFailedRequest>? OnReport { get; set; }

    public static async Task<ScriptedControlPlane> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var plane = new ScriptedControlPlane(app);
        plane.Map(app);
        await app.StartAsync();
        return plane;
    }

    /// <summary>A channel is led by a node from now on.</summary>
    public void Lead(string channel, FakeNode node, long term, long incarnation = 1) => Lead(channel, node.Id, node.Address, term, incarnation);

    /// <summary>The same, where the node is none of the harness.</summary>
    public void Lead(string channel, string nodeId, Uri endpoint, long term, long incarnation = 1) => Change(() =>
    {
        _channels[channel] = new RouteEntry(endpoint, nodeId, term, incarnation);
        _offline.Remove(channel);
    });

    /// <summary>A channel has no leader from now on.</summary>
    public void TakeOffline(string channel) => Change(() =>
    {
        _channels.Remove(channel);
        _offline.Add(channel);
    });

    /// <summary>The version from which the next changes count on: lower than it was is a control plane that was put back.</summary>
    public void SetVersion(long version)
    {
        lock (_lock)
        {
            _version = version;
        }
    }

    /// <summary>Answers every poll that waits now.</summary>
    public void Wake() => Change(() => { });

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private void Change(Action change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            change();
            _version++;
            (changed, _changed) = (_changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }

    private (RouteView View, Task Changed) Now()
    {
        lock (_lock)
        {
            return (new RouteView(_version, new Dictionary<string, RouteEntry>(_channels, StringComparer.Ordinal), [.. _offline]), _changed.Task);
        }
    }

    private void Map(WebApplication app)
    {
        app.Use((context, next) =>
        {
            if (Away)
            {
                context.Abort();
                return Task.CompletedTask;
            }

            if (context.Request.Headers["x-functions-key"] != Key || (context.Request.Method != "GET" && context.Request.ContentLength is null))
            {
                context.Response.StatusCode = 401;
                return Task.CompletedTask;
            }

            return next(context);
        });
        app.MapGet("/api/route", async (HttpContext context) =>
        {
            var since = context.Request.Query["since"].ToString() is { Length: > 0 } text ? long.Parse(text, CultureInfo.InvariantCulture) : (long?)null;
            var waitMs = context.Request.Query["waitMs"].ToString() is { Length: > 0 } wait ? int.Parse(wait, CultureInfo.InvariantCulture) : 0;
            Polls.Enqueue(since);
            var (view, changed) = Now();
            if (since is not null && view.Version <= since)
            {
                // As the real one, but a change is answered whatever its version: the follower must see that for itself.
                await changed.WaitAsync(TimeSpan.FromMilliseconds(waitMs), context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (!changed.IsCompletedSuccessfully)
                {
                    return Results.StatusCode(304);
                }
            }

            if (Away)
            {
                context.Abort();
            }

            return Results.Json(Now().View, BatonJson.Options);
        });
        app.MapPost("/api/nodes/{id}/failed", async (string id, HttpContext context) =>
        {
            if (!TakesReports)
            {
                Interlocked.Increment(ref RefusedReports);
                return Results.StatusCode(503);
            }

            var report = (await context.Request.ReadFromJsonAsync<NodeFailedRequest>(BatonJson.Options))!;
            Reports.Enqueue((id, report));
            OnReport?.Invoke(id, report);
            return Results.StatusCode(202);
        });
    }
}
