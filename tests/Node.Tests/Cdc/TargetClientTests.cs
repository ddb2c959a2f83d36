using System.Net;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Node.Cdc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Baton.Node.Tests.Cdc;

/// <summary>What a sender makes of what a target answers, and whom it asks next.</summary>
public sealed class TargetClientTests
{
    private const string Token = "token-that-nobody-may-see";

    [Theory]
    [InlineData(400, "wrong", TargetOutcome.Wrong)]
    [InlineData(401, "unauthorized", TargetOutcome.Refused)]
    [InlineData(302, "wrong", TargetOutcome.Wrong)]
    [InlineData(409, "refused", TargetOutcome.Refused)]
    [InlineData(413, "wrong", TargetOutcome.Wrong)]
    [InlineData(421, "not_leader", TargetOutcome.Retry)]
    [InlineData(429, "overloaded", TargetOutcome.Retry)]
    [InlineData(500, "unavailable", TargetOutcome.Retry)]
    [InlineData(503, "unavailable", TargetOutcome.Retry)]
    public async Task An_answer_is_taken_for_what_it_is(int status, string kind, object outcome)
    {
        await using var cluster = await Cluster.StartAsync(_ => Problem(status));
        var answer = await cluster.AskAsync();

        Assert.Equal(((TargetOutcome)outcome, kind), (answer.Outcome, answer.Kind));
        Assert.DoesNotContain(Token, answer.Reason, StringComparison.Ordinal);
        Assert.Equal([$"Bearer {Token}"], cluster.Tokens.Distinct());
    }

    [Fact]
    public async Task A_hint_is_followed_at_once_and_not_for_ever()
    {
        await using var other = await Cluster.StartAsync(_ => Results.Json(new ReplicateResponse(0, 0, null, 0), BatonJson.Options));
        await using var first = await Cluster.StartAsync(_ => Problem(421, leader: new LeaderHint("n2", other.Address, 2)));
        Assert.Equal(TargetOutcome.Taken, (await first.AskAsync()).Outcome);
        Assert.Equal((1, 1), (first.Asked, other.Asked));

        // Who led then leads still: it is asked first.
        Assert.Equal(TargetOutcome.Taken, (await first.AskAsync()).Outcome);
        Assert.Equal((1, 2), (first.Asked, other.Asked));

        Cluster? back = null;
        await using var one = await Cluster.StartAsync(_ => Problem(421, leader: new LeaderHint("n2", back!.Address, 2)));
        await using var two = await Cluster.StartAsync(_ => Problem(421, leader: new LeaderHint("n1", one.Address, 2)));
        back = two;
        Assert.Equal("not_leader", (await one.AskAsync()).Kind);
        Assert.Equal(3, one.Asked + two.Asked);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(401)]
    [InlineData(409)]
    [InlineData(503)]
    public async Task Who_took_something_once_and_takes_nothing_now_is_not_asked_for_ever(int status)
    {
        // It was replaced and does not know it, or its address is somebody else's by now.
        var replaced = false;
        await using var other = await Cluster.StartAsync(_ => Results.Json(new ReplicateResponse(0, 0, null, 0), BatonJson.Options));
        await using var first = await Cluster.StartAsync(_ => replaced ? Problem(status) : Results.Json(new ReplicateResponse(0, 0, null, 0), BatonJson.Options));
        Assert.Equal(TargetOutcome.Taken, (await first.AskAsync()).Outcome);
        (replaced, first.Leads) = (true, other.Address);
        Assert.NotEqual(TargetOutcome.Taken, (await first.AskAsync()).Outcome);

        Assert.Equal(TargetOutcome.Taken, (await first.AskAsync()).Outcome);
        Assert.Equal((2, 1), (first.Asked, other.Asked));
    }

    [Fact]
    public async Task Only_a_departure_of_this_task_is_one()
    {
        var departure = new ReplicateDeparture("b", 7, new ReplicateCheckpoint("a", "a-0", 5, 50));
        foreach (var (said, outcome) in new[]
        {
            (departure, TargetOutcome.Departed),
            (departure with { By = "c" }, TargetOutcome.Refused),
            (departure with { From = departure.From with { Channel = "a-1" } }, TargetOutcome.Refused),
            (departure with { From = departure.From with { ClusterId = "c" } }, TargetOutcome.Refused),
        })
        {
            await using var cluster = await Cluster.StartAsync(_ => Problem(409, departure: said));
            Assert.Equal(outcome, (await cluster.AskAsync()).Outcome);
        }
    }

    [Fact]
    public async Task An_answer_that_does_not_account_for_every_record_is_none()
    {
        await using var cluster = await Cluster.StartAsync(_ => Results.Json(new ReplicateResponse(1, 0, null, 1), BatonJson.Options));
        Assert.Equal("nonsense", (await cluster.AskAsync()).Kind);
    }

    [Fact]
    public async Task A_leader_at_an_address_that_cannot_be_called_is_nonsense_and_the_route_is_asked_again()
    {
        await using var cluster = await Cluster.StartAsync(_ => Results.Json(new ReplicateResponse(0, 0, null, 0), BatonJson.Options));
        cluster.Leads = new Uri("ftp://b.example/");
        Assert.Equal("nonsense", (await cluster.AskAsync()).Kind);
        cluster.Leads = null;
        Assert.Equal(TargetOutcome.Taken, (await cluster.AskAsync()).Outcome);
    }

    [Fact]
    public async Task The_pause_that_is_asked_for_is_told()
    {
        await using var cluster = await Cluster.StartAsync(context =>
        {
            context.Response.Headers.RetryAfter = "3";
            return Problem(429);
        });
        Assert.Equal(TimeSpan.FromSeconds(3), (await cluster.AskAsync()).After);
    }

    [Theory]
    [InlineData("ftp://b.example", Token, "wrong")]
    [InlineData("127.0.0.1:1", Token, "unreachable")]
    [InlineData("http://127.0.0.1:1", "a\r\nb", "wrong")]
    public async Task An_address_or_token_that_does_not_do_is_said(string uri, string token, string kind)
    {
        using var http = new TargetHttp(Options.Create(new CdcSettings()));
        var answer = await new TargetClient(http, Cluster.Task(uri) with { Token = token }, "a", TimeSpan.FromSeconds(30)).ReplicateAsync([], CancellationToken.None);
        Assert.Equal(kind, answer.Kind);
        Assert.DoesNotContain(token, answer.Reason, StringComparison.Ordinal);
    }

    private static IResult Problem(int status, LeaderHint? leader = null, ReplicateDeparture? departure = null) =>
        Results.Json(new Problem("urn", "title", status, "detail", "code", leader, Departure: departure), BatonJson.Options, Baton.Core.Api.Problem.MediaType, status);

    /// <summary>A cluster of one node, which answers what the test says.</summary>
    private sealed class Cluster : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly TargetHttp _http = new(Options.Create(new CdcSettings()));
        private TargetClient? _client;

        private Cluster(WebApplication app) => _app = app;

        public Uri Address => new(_app.Urls.First());

        /// <summary>Who leads by the route; itself where that is null.</summary>
        public Uri? Leads { get; set; }

        public int Asked { get; private set; }

        public List<string> Tokens { get; } = [];

        public static CdcTaskView Task(string uri) => new("a-0", "b", "b-0", uri, Token, 1, 1, 1, CdcTaskState.Running, DateTimeOffset.UnixEpoch);

        public static async Task<Cluster> StartAsync(Func<HttpContext, IResult> answers)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
            var app = builder.Build();
            var cluster = new Cluster(app);
            app.MapGet("/api/replication/route", () => Results.Json(
                new RouteView(1, new Dictionary<string, RouteEntry>(StringComparer.Ordinal) { ["b-0"] = new(cluster.Leads ?? cluster.Address, "n1", 1) }), BatonJson.Options));
            app.MapPost("/channels/b-0/replicate", (HttpContext context) =>
            {
                cluster.Asked++;
                cluster.Tokens.Add(context.Request.Headers.Authorization.ToString());
                return answers(context);
            });
            await app.StartAsync();
            return cluster;
        }

        public Task<TargetAnswer> AskAsync() =>
            (_client ??= new TargetClient(_http, Task(Address.ToString()), "a", TimeSpan.FromSeconds(30))).ReplicateAsync([], CancellationToken.None);

        public async ValueTask DisposeAsync()
        {
            _http.Dispose();
            await _app.DisposeAsync();
        }
    }
}
