using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Wal;
using Baton.Edge.Settings;
using Baton.Node.Broadcasts;
using Baton.Node.Leadership;
using Baton.Node.Settings;
using Baton.Node.Status;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Baton.Node.Tests.Broadcasts;

/// <summary>The order and the number of acks under way, before a control plane that answers when the test lets it.</summary>
public sealed class BroadcastAcksTests
{
    [Fact]
    public async Task B60_the_ack_of_a_control_record_waits_for_every_one_before_it_and_those_behind_wait_for_none()
    {
        await using var scene = new Scene();
        var acks = scene.Channel("ch");
        acks.Add(Ack("ch", 5, "ch_v1"));
        acks.Add(Ack("ch", 6, "ch_vcontrol"));
        acks.Add(Ack("ch", 7, "ch_v1"));

        // The first is held by the control plane; the third is answered, and the second not even sent.
        await scene.SentAsync(5, 7);
        scene.Answer(7);
        await Eventually.HoldsAsync(() => acks.Pending == 2, "the third ack is taken");
        Assert.Equal([5, 7], scene.Sent.Order());

        scene.Answer(5);
        await scene.SentAsync(5, 6, 7);
        scene.Answer(6);
        await Eventually.HoldsAsync(() => acks.Pending == 0, "all acks are taken");
    }

    [Fact]
    public async Task B60_it_waits_while_one_before_it_fails_and_is_tried_again()
    {
        await using var scene = new Scene { Fails = lsn => lsn == 5 };
        var acks = scene.Channel("ch");
        acks.Add(Ack("ch", 5, "ch_v1"));
        acks.Add(Ack("ch", 6, "ch_vcontrol"));

        await Eventually.HoldsAsync(() => scene.Sent.Count(l => l == 5) >= 3, "the first ack is tried again and again");
        Assert.DoesNotContain(6, scene.Sent);
        scene.AnswersAll = true;
        scene.Fails = _ => false;
        await Eventually.HoldsAsync(() => acks.Pending == 0, "both acks are taken");
        Assert.Equal(6, scene.Taken.Last());
    }

    [Fact]
    public async Task B60_more_control_records_than_senders_are_acked_in_their_order()
    {
        await using var scene = new Scene { AnswersAll = true };
        var acks = scene.Channel("ch");
        foreach (var lsn in Enumerable.Range(1, 40))
        {
            acks.Add(Ack("ch", lsn, lsn % 3 == 0 ? "ch_v1" : "ch_vcontrol"));
        }

        await Eventually.HoldsAsync(() => acks.Pending == 0, "all acks are taken");
        var taken = scene.Taken.ToArray();
        Assert.Equal(40, taken.Length);
        foreach (var (at, lsn) in taken.Index().Where(t => t.Item % 3 != 0))
        {
            Assert.Equal(Enumerable.Range(1, (int)lsn - 1).Select(l => (long)l), taken[..at].Where(l => l < lsn).Order());
        }
    }

    [Fact]
    public async Task The_channels_of_a_node_together_have_no_more_than_16_acks_under_way()
    {
        await using var scene = new Scene();
        var channels = Enumerable.Range(0, 100).Select(i => scene.Channel($"ch-{i}")).ToArray();
        foreach (var (i, acks) in channels.Index())
        {
            acks.Add(Ack($"ch-{i}", i + 1, $"ch-{i}_v1"));
            acks.Add(Ack($"ch-{i}", i + 1_001, $"ch-{i}_v1"));
        }

        await Eventually.HoldsAsync(() => scene.Sent.Count == AckTurns.Most, "as many acks as may be are under way");
        scene.AnswerAll();
        await Eventually.HoldsAsync(() => channels.All(c => c.Pending == 0), "every ack is taken");
        Assert.Equal(200, scene.Taken.Count);
        Assert.Equal(AckTurns.Most, scene.MostAtOnce);
    }

    [Fact]
    public async Task Acks_that_fail_leave_their_turns_to_others()
    {
        // More channels that fail than there are turns.
        await using var scene = new Scene { AnswersAll = true, Fails = lsn => lsn < 1_000 };
        var failing = Enumerable.Range(0, 2 * AckTurns.Most).Select(i => scene.Channel($"ch-{i}")).ToArray();
        foreach (var (i, acks) in failing.Index())
        {
            acks.Add(Ack($"ch-{i}", i + 1, $"ch-{i}_v1"));
        }

        await Eventually.HoldsAsync(() => scene.Sent.Distinct().Count() == failing.Length, "every failing ack was tried");
        var other = scene.Channel("other");
        other.Add(Ack("other", 1_000, "other_v1"));
        await Eventually.HoldsAsync(() => other.Pending == 0, "the ack of another channel is taken");
        Assert.All(failing, f => Assert.Equal(1, f.Pending));
    }

    private static PendingAck Ack(string channel, long lsn, string vchannel) => new(
        lsn,
        lsn,
        new BroadcastAckRequest(vchannel, new BroadcastAck(lsn, lsn, lsn), new BroadcastMessage("drop", [vchannel], []), new SourcePosition("a", channel, lsn, lsn)),
        Task.CompletedTask);

    /// <summary>Channels of one node, and a control plane that keeps each ack until the test answers it.</summary>
    private sealed class Scene : HttpMessageHandler, IAsyncDisposable
    {
        private readonly ConcurrentDictionary<long, TaskCompletionSource> _answers = new();
        private readonly List<BroadcastAcks> _channels = [];
        private readonly AckTurns _turns = new();
        private readonly ControlPlaneClient _client;
        private readonly Lock _gate = new();
        private int _underWay;

        public Scene() => _client = new ControlPlaneClient(
            new HttpClient(this),
            Options.Create(new NodeSettings { Id = "node-1", ControlPlaneTimeoutMs = 60_000 }),
            Options.Create(new ClusterSettings { Id = "a", Secret = "secret-of-the-test" }),
            Options.Create(new ControlPlaneSettings { Url = new Uri("http://control.example"), Key = "key" }),
            new NodeMetrics(TimeProvider.System));

        public ConcurrentQueue<long> Sent { get; } = new();

        public ConcurrentQueue<long> Taken { get; } = new();

        public int MostAtOnce { get; private set; }

        public Func<long, bool> Fails { get; set; } = _ => false;

        public bool AnswersAll { get; set; }

        public BroadcastAcks Channel(string name)
        {
            var acks = new BroadcastAcks(name, _client, _turns, TimeProvider.System, NullLogger.Instance);
            _channels.Add(acks);
            return acks;
        }

        public void Answer(long lsn) => Held(lsn).TrySetResult();

        public void AnswerAll()
        {
            AnswersAll = true;
            foreach (var held in _answers.Values)
            {
                held.TrySetResult();
            }
        }

        public Task SentAsync(params long[] lsns) => Eventually.HoldsAsync(() => lsns.All(Sent.Contains), $"acks {string.Join(", ", lsns)} are sent");

        public async ValueTask DisposeAsync()
        {
            foreach (var channel in _channels)
            {
                await channel.DisposeAsync();
            }

            _turns.Dispose();
            Dispose();
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var lsn = (await request.Content!.ReadFromJsonAsync<BroadcastAckRequest>(BatonJson.Options, cancellationToken))!.Ack.Lsn;
            lock (_gate)
            {
                _underWay++;
                MostAtOnce = Math.Max(MostAtOnce, _underWay);
            }

            try
            {
                Sent.Enqueue(lsn);
                if (Fails(lsn))
                {
                    return new HttpResponseMessage(HttpStatusCode.ServiceUnavailable);
                }

                var held = Held(lsn);
                if (!AnswersAll)
                {
                    await held.Task.WaitAsync(cancellationToken);
                }

                Taken.Enqueue(lsn);
                return new HttpResponseMessage(HttpStatusCode.OK);
            }
            finally
            {
                lock (_gate)
                {
                    _underWay--;
                }
            }
        }

        private TaskCompletionSource Held(long lsn) => _answers.GetOrAdd(lsn, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}
