using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

public sealed class NodeCircuitTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch.AddDays(20_000);

    private static DateTimeOffset At(double seconds) => Start.AddSeconds(seconds);

    private static NodeCircuit Open => NodeCircuit.Closed.Failed(At(0)).Failed(At(1)).Failed(At(2));

    [Fact]
    public void Three_failures_within_ten_seconds_open_it_for_five()
    {
        Assert.True(NodeCircuit.Closed.Failed(At(0)).Failed(At(9)).Allows(At(9)));
        Assert.False(NodeCircuit.Closed.Failed(At(0)).Failed(At(9)).Failed(At(9.9)).Allows(At(9.9)));
        Assert.True(NodeCircuit.Closed.Failed(At(0)).Failed(At(9)).Failed(At(10)).Allows(At(10)));
        Assert.False(Open.Allows(At(6.9)));
        Assert.True(Open.Allows(At(7)));
    }

    [Fact]
    public void A_success_between_failures_starts_the_count_again() =>
        Assert.True(NodeCircuit.Closed.Failed(At(0)).Failed(At(1)).Succeeded().Failed(At(2)).Failed(At(3)).Allows(At(3)));

    [Fact]
    public void Half_open_it_allows_one_call_until_that_ends_or_its_caller_has_died()
    {
        var tried = Open.Tried(At(7));

        Assert.False(tried.Allows(At(7)));
        Assert.False(tried.Allows(At(16.9)));
        Assert.True(tried.Allows(At(17)));
        Assert.True(tried.Succeeded().Allows(At(7.1)));
        Assert.False(tried.Failed(At(7.5)).Allows(At(7.6)));
        Assert.Same(NodeCircuit.Closed, NodeCircuit.Closed.Tried(At(0)));
        Assert.Equal(Open.OpenedAt, Open.Tried(At(3)).OpenedAt);
        Assert.Null(Open.Tried(At(3)).TriedAt);
    }

    [Fact]
    public void Each_failed_try_doubles_the_time_up_to_a_minute_and_a_success_begins_anew()
    {
        var circuit = Open;
        var now = 2.0;
        var times = new List<double>();
        for (var i = 0; i < 6; i++)
        {
            var open = circuit.OpenFor.TotalSeconds;
            times.Add(open);
            Assert.False(circuit.Allows(At(now + open - 0.001)));
            now += open;
            Assert.True(circuit.Allows(At(now)));
            circuit = circuit.Tried(At(now)).Failed(At(now));
        }

        Assert.Equal([5, 10, 20, 40, 60, 60], times);
        circuit = circuit.Succeeded().Failed(At(now)).Failed(At(now)).Failed(At(now));
        Assert.Equal(5, circuit.OpenFor.TotalSeconds);
    }

    [Fact]
    public void A_failure_of_a_call_begun_before_it_opened_does_not_keep_it_open_longer() => Assert.Equal(Open, Open.Failed(At(3)));

    [Fact]
    public void A_clock_that_was_set_back_does_not_keep_it_open_longer() => Assert.True(Open.Allows(Start.AddHours(-1)));

    [Fact]
    public void It_is_kept_as_json_and_never_grows()
    {
        var circuit = NodeCircuit.Closed;
        for (var i = 0; i < 1_000; i++)
        {
            circuit = circuit.Failed(At(i * 4));
            Assert.True(circuit.Failures.Count < NodeCircuit.FailuresToOpen);
            var read = JsonSerializer.Deserialize<NodeCircuit>(JsonSerializer.Serialize(circuit, BatonJson.Options), BatonJson.Options)!;
            Assert.Equal(circuit with { Failures = [] }, read with { Failures = [] });
            Assert.Equal(circuit.Failures, read.Failures);
        }
    }
}
