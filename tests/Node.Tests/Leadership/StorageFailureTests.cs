using Baton.Core.Api;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Leadership;

public sealed class StorageFailureTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private const string Write = """{"messages":[{"payload":"YQ=="}],"producer":{"id":"p1","sequence":1}}""";
    private static readonly (string, string)[] FewAttempts = [("Wal:MaxAttempts", "2"), ("Wal:RetryDelayMs", "1")];

    [Fact]
    public async Task A_write_that_may_have_happened_is_unavailable_and_the_node_joins_again_for_a_new_term()
    {
        var channel = NodeFixture.NewChannel();
        var fault = new StorageFault();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", fault, FewAttempts);
        await node.LeadsAsync(channel, 1);
        await node.AppendAsync(channel, "kept");

        fault.Broken = true;
        await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/messages", Write), ApiErrorCode.Unavailable);
        fault.Broken = false;
        plane.Assign("node-1", new Assignment(channel, "leader", 2, null));
        await Eventually.HoldsAsync(() => plane.Joins.Count >= 2, "it joins again");
        await node.LeadsAsync(channel, 2);
        await TestNode.OkAsync<AppendResponse>(node.PostRawAsync($"channels/{channel}/messages", Write));
        Assert.Equal(["kept", "a"], await node.TextsAsync(channel));
    }

    [Fact]
    public async Task The_status_confirms_nothing_that_is_still_on_its_way_to_the_storage()
    {
        var channel = NodeFixture.NewChannel();
        var fault = new StorageFault();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", fault, ("Wal:MaxAttempts", "1000"), ("Wal:GiveUpMs", "600000"), ("Wal:RetryMaxDelayMs", "50"));
        await node.LeadsAsync(channel, 1);
        await node.AppendAsync(channel, "durable");

        fault.Broken = true;
        var underWay = node.AppendAsync(channel, "on its way");
        await Eventually.HoldsAsync(() => fault.Dropped > 0, "the second message is being written");
        var status = await node.StatusAsync(channel);
        fault.Broken = false;
        await underWay;

        Assert.Equal((1, 1), (status.LastLsn, status.LastConfirmedLsn));
        Assert.Equal((2, 2), await node.StatusAsync(channel) is var after ? (after.LastLsn, after.LastConfirmedLsn) : default);
    }

    [Fact]
    public async Task An_open_that_fails_half_way_is_repaired_at_the_next_term()
    {
        var channel = NodeFixture.NewChannel();
        var fault = new StorageFault { Broken = true };
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", fault, [.. FewAttempts, ("Node:OpenGiveUpMs", "100")]);
        await Eventually.HoldsAsync(() => fault.Dropped >= 2, "opening fails");
        await Eventually.HoldsAsync(() => plane.Joins.Count >= 2, "the term is spent, so it joins again");
        fault.Broken = false;
        plane.Assign("node-1", new Assignment(channel, "leader", 2, null));
        await node.LeadsAsync(channel, 2);
        await node.AppendAsync(channel, "served");
    }

    [Fact]
    public async Task A_failed_open_by_order_says_so()
    {
        var channel = NodeFixture.NewChannel();
        var fault = new StorageFault { Broken = true };
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", fault, FewAttempts);
        await Eventually.HoldsAsync(() => !plane.Joins.IsEmpty, "it has joined");
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/open", new OpenChannelRequest(1), node.Control), ApiErrorCode.Unavailable);
        Assert.Equal("none", (await node.StatusAsync(channel)).Role);
    }

    [Fact]
    public async Task A_change_of_configuration_that_is_not_durable_changes_nothing()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        var fault = new StorageFault();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", fault, FewAttempts);
        await node.LeadsAsync(channel, 1);
        fault.Broken = true;
        await TestNode.ProblemAsync(pair.ChangeAsync(node, 1, pair.Replicating), ApiErrorCode.Unavailable);
        fault.Broken = false;
        plane.Assign("node-1", new Assignment(channel, "leader", 2, null));
        await node.LeadsAsync(channel, 2);
        await node.AppendAsync(channel, "still writable");
    }

    [Fact]
    public async Task A_node_that_stops_does_not_wait_for_its_long_polls()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        Task<HttpResponseMessage> poll;
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            poll = node.Client.GetAsync($"channels/{channel}/messages?waitMs=60000");
            await Eventually.HoldsAsync(() => node.WaitingReaders(channel) == 1, "the reader waits");
            await node.StopAsync();
            await TestNode.ProblemAsync(poll, ApiErrorCode.Unavailable);
        }
    }
}
