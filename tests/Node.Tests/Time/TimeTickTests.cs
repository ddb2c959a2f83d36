using Baton.Core.Api;
using Baton.Core.Time;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Time;

/// <summary>Time ticks rise within a channel whatever clocks do, and what a client was told of an expiry holds.</summary>
public sealed class TimeTickTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private const long HourMs = 3_600_000;

    [Fact]
    public async Task They_rise_through_steps_of_the_clock_a_restart_and_a_takeover_by_a_node_that_is_an_hour_behind()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        var clock = new MovableClock();
        await using (var node = await LeadingAsync(plane, channel, 1, "node-1", clock))
        {
            foreach (var step in new[] { 0, -HourMs, 1, 2 * HourMs, -1, -3 * HourMs })
            {
                clock.Milliseconds += step;
                await node.AppendAsync(channel, "one", "two");
            }
        }

        await using (var again = await LeadingAsync(plane, channel, 2, "node-1", clock))
        {
            await again.AppendAsync(channel, "restarted");
        }

        await using var behind = await LeadingAsync(plane, channel, 3, "node-2", new MovableClock(MovableClock.StartMs - HourMs));
        var last = await behind.AppendAsync(channel, "taken over");

        var ticks = (await behind.ReadAsync(channel, "all")).Messages.Select(m => m.TimeTick).ToArray();
        Assert.Equal(14, ticks.Length);
        Assert.Equal(ticks.Distinct().Order(), ticks);
        Assert.All(ticks, t => Assert.InRange(t, 1, (1L << 53) - 1));
        Assert.Equal(last.TimeTick, ticks[^1]);
        Assert.Equal(MovableClock.StartMs + HourMs + 1, TimeTicks.ToInstant(last.TimeTick).ToUnixTimeMilliseconds());
    }

    [Fact]
    public async Task They_follow_a_clock_that_jumps_forward_and_stand_while_it_is_back()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        var clock = new MovableClock();
        await using var node = await LeadingAsync(plane, channel, 1, "node-1", clock);
        clock.Milliseconds += HourMs;
        var ahead = await node.AppendAsync(channel, "ahead");
        clock.Milliseconds -= 2 * HourMs;

        Assert.Equal((MovableClock.StartMs + HourMs) * TimeTicks.PerMillisecond, ahead.TimeTick);
        Assert.Equal(ahead.TimeTick + 1, (await node.AppendAsync(channel, "back")).TimeTick);
    }

    [Theory]
    [InlineData(-HourMs)]
    [InlineData(HourMs)]
    public async Task A_transaction_lives_until_the_instant_that_its_begin_was_answered_with_and_no_longer(long step)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        var clock = new MovableClock();
        await using var node = await LeadingAsync(plane, channel, 1, "node-1", clock);
        await node.AppendAsync(channel, "before the step");
        clock.Milliseconds += step;
        var (kept, late) = (await BeginAsync(node, channel), await BeginAsync(node, channel));

        clock.Milliseconds = kept.ExpiresAt.ToUnixTimeMilliseconds() - 1;
        await TestNode.OkAsync<AppendResponse>(node.PostRawAsync($"channels/{channel}/transactions/{kept.TxnId}/commit", ""));
        clock.Milliseconds = late.ExpiresAt.ToUnixTimeMilliseconds() + 1;
        await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/transactions/{late.TxnId}/commit", ""), ApiErrorCode.Conflict);
    }

    private static Task<BeginTransactionResponse> BeginAsync(TestNode node, string channel) =>
        TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(1_000)));

    private async Task<TestNode> LeadingAsync(ScriptedControlPlane plane, string channel, long term, string id, MovableClock clock)
    {
        plane.Assign(id, new Assignment(channel, "leader", term, null));
        var node = await TestNode.StartAsync(fixture, plane, id, builder => builder.Services.AddSingleton<TimeProvider>(clock));
        await node.LeadsAsync(channel, term);
        return node;
    }
}
