using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using Baton.Core.Api;
using Baton.Edge.Settings;
using Baton.Node.Leadership;
using Baton.Node.Settings;
using Baton.Node.Status;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Baton.Node.Tests.Leadership;

/// <summary>How many reports there are of what a node cannot lead, and what is in them.</summary>
public sealed class CannotLeadReportsTests
{
    [Fact]
    public async Task Ten_thousand_channels_are_fifty_reports_one_at_a_time()
    {
        using var scene = new Scene();
        scene.Add(0, 10_000);
        scene.CannotLead.Heard(4);
        await scene.SaidAsync(50);

        Assert.Equal(1, scene.MostAtOnce);
        Assert.All(scene.Reports, r => Assert.Equal((200, 4L, "node-1", "disk full"), (r.Leaderships!.Count, r.Incarnation, r.ObservedBy, r.Reason)));
        Assert.Equal(Enumerable.Range(0, 10_000).Select(At).ToHashSet(), [.. scene.Reports.SelectMany(r => r.Leaderships!)]);
        Assert.Equal(50, scene.Reports.Select(r => r.EventId).Where(Names.IsValidId).Distinct(StringComparer.Ordinal).Count());

        // Nothing is left to say, and the same again is not said again.
        scene.Add(0, 10_000);
        scene.CannotLead.Heard(4);
        scene.Add(10_000, 1);
        await scene.SaidAsync(51);
        Assert.Equal([At(10_000)], scene.Reports.Last().Leaderships!);
    }

    [Fact]
    public async Task The_first_that_fails_does_not_wait_for_a_heartbeat_and_those_behind_it_are_collected_for_the_next()
    {
        using var scene = new Scene();
        scene.CannotLead.Heard(1);
        for (var i = 0; i < 300; i++)
        {
            scene.Add(i, 1);
            await scene.SaidAsync(1);
        }

        Assert.Equal([At(0)], Assert.Single(scene.Reports).Leaderships!);
        scene.CannotLead.Heard(1);
        await scene.SaidAsync(3);
        Assert.Equal([1, 200, 99], scene.Reports.Select(r => r.Leaderships!.Count));
    }

    [Fact]
    public async Task What_is_not_taken_is_the_same_event_with_the_next_heartbeat_and_the_rest_waits_for_it()
    {
        using var scene = new Scene { Takes = false };
        scene.Add(0, 300);
        scene.CannotLead.Heard(1);
        await scene.SaidAsync(1);
        scene.CannotLead.Heard(1);
        await scene.SaidAsync(2);
        scene.Takes = true;
        scene.CannotLead.Heard(1);
        await scene.SaidAsync(4);

        Assert.Equal([200, 200, 200, 100], scene.Reports.Select(r => r.Leaderships!.Count));
        Assert.Equal([1, 3], scene.Reports.CountBy(r => r.EventId!).Select(e => e.Value).Order());
        Assert.Equal(300, scene.Reports.Skip(2).SelectMany(r => r.Leaderships!).Distinct().Count());
    }

    [Fact]
    public async Task Each_channel_is_said_twenty_times_at_most_and_then_the_others_have_their_turn()
    {
        using var scene = new Scene { Takes = false };
        scene.Add(0, 300);
        for (var i = 1; i <= 40; i++)
        {
            scene.CannotLead.Heard(1);
            await scene.SaidAsync(i);
        }

        scene.CannotLead.Heard(1);
        scene.Add(0, 300);
        scene.Takes = true;
        scene.Add(300, 1);
        await scene.SaidAsync(41);
        Assert.Equal([At(300)], scene.Reports.Last().Leaderships!);
        Assert.Equal([.. Enumerable.Repeat(200, 20), .. Enumerable.Repeat(100, 20), 1], scene.Reports.Select(r => r.Leaderships!.Count));
    }

    [Fact]
    public async Task A_channel_that_opened_after_all_is_not_said_and_after_another_join_only_what_failed_since()
    {
        using var scene = new Scene();
        scene.Add(0, 3);
        scene.CannotLead.Withdraw("many-1");
        scene.CannotLead.Heard(1);
        await scene.SaidAsync(1);
        Assert.Equal([At(0), At(2)], scene.Reports.Last().Leaderships!);

        scene.Add(3, 1);
        scene.CannotLead.Clear();
        scene.Add(4, 1);
        Assert.Single(scene.Reports);
        scene.CannotLead.Heard(2);
        await scene.SaidAsync(2);
        Assert.Equal((2L, At(4)), (scene.Reports.Last().Incarnation, Assert.Single(scene.Reports.Last().Leaderships!)));
    }

    private static ChannelAtTerm At(int i) => new($"many-{i}", 7);

    /// <summary>Its control plane answers at once.</summary>
    private sealed class Scene : HttpMessageHandler
    {
        private readonly HttpClient _http;
        private int _underWay;

        public Scene()
        {
            _http = new HttpClient(this, disposeHandler: false);
            var node = Options.Create(new NodeSettings { Id = "node-1", ControlPlaneTimeoutMs = 60_000 });
            CannotLead = new CannotLead(
                new ControlPlaneClient(
                    _http,
                    node,
                    Options.Create(new ClusterSettings { Id = "a", Secret = "secret-of-the-test" }),
                    Options.Create(new ControlPlaneSettings { Url = new Uri("http://control.example"), Key = "key" }),
                    new NodeMetrics(TimeProvider.System)),
                node,
                NullLogger<CannotLead>.Instance);
        }

        public CannotLead CannotLead { get; }

        public ConcurrentQueue<NodeFailedRequest> Reports { get; } = new();

        public bool Takes { get; set; } = true;

        public int MostAtOnce { get; private set; }

        public void Add(int first, int count)
        {
            foreach (var (channel, term) in Enumerable.Range(first, count).Select(At))
            {
                CannotLead.Add(channel, term, "disk full");
            }
        }

        /// <summary>That many reports have been sent and answered, and no more are on their way.</summary>
        public async Task SaidAsync(int count)
        {
            await Eventually.HoldsAsync(() => Reports.Count >= count && !CannotLead.IsSending, $"{count} reports");
            Assert.Equal(count, Reports.Count);
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            MostAtOnce = Math.Max(MostAtOnce, Interlocked.Increment(ref _underWay));
            Assert.Equal("/api/nodes/node-1/failed", request.RequestUri!.AbsolutePath);
            Reports.Enqueue((await request.Content!.ReadFromJsonAsync<NodeFailedRequest>(BatonJson.Options, cancellationToken))!);
            await Task.Yield();
            Interlocked.Decrement(ref _underWay);
            return new HttpResponseMessage(Takes ? HttpStatusCode.Accepted : HttpStatusCode.ServiceUnavailable);
        }

        protected override void Dispose(bool disposing)
        {
            _http.Dispose();
            base.Dispose(disposing);
        }
    }
}
