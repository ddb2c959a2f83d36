using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Settings;

/// <summary>What a node prints.</summary>
public sealed class LogFormatTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task As_json_every_line_is_an_object_and_a_forced_configuration_carries_forceUpdate_as_a_property()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var process = await NodeProcess.StartAsync(fixture, plane, "node-1", ("Node:LogFormat", "json"));
        await process.LeadsAsync(channel, 1);
        var pair = Pair.Of(channel);
        await ChangeAsync(process, channel, 1, pair.Replicating, forced: false);
        await ChangeAsync(process, channel, 2, pair.Alone, forced: true);
        await Eventually.HoldsAsync(() => Configurations(process).Count == 2, "both changes are logged");

        var changes = Configurations(process);
        Assert.False(changes[0].GetProperty("State").GetProperty("forceUpdate").GetBoolean());
        Assert.True(changes[1].GetProperty("State").GetProperty("forceUpdate").GetBoolean());
        Assert.EndsWith("Z", changes[1].GetProperty("Timestamp").GetString(), StringComparison.Ordinal);
        Assert.Equal(channel, changes[1].GetProperty("State").GetProperty("Channel").GetString());
    }

    [Fact]
    public async Task As_text_it_is_a_line_each()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var process = await NodeProcess.StartAsync(fixture, plane, "node-1");
        Assert.Contains(process.Lines, l => l.Contains("Z info: Baton.Node.Leadership.Membership[", StringComparison.Ordinal) && l.Contains("Baton node listening on http://127.0.0.1:", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Baton.Node:x", "1", false)]
    [InlineData("Logging:LogLevel:Microsoft.AspNetCore", "Information", true)]
    public async Task Requests_are_logged_only_when_asked_for(string setting, string value, bool logged)
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var process = await NodeProcess.StartAsync(fixture, plane, "node-1", (setting, value));
        using var answer = await process.SendAsync(HttpMethod.Get, "health", null);
        Assert.Equal(200, (int)answer.StatusCode);
        await Eventually.HoldsAsync(() => process.Lines.Any(l => l.Contains("joined as incarnation", StringComparison.Ordinal)), "what a node says of itself is logged");
        if (logged)
        {
            await Eventually.HoldsAsync(() => process.Lines.Any(l => l.Contains("/health", StringComparison.Ordinal)), "the request is logged");
        }
        else
        {
            Assert.DoesNotContain(process.Lines, l => l.Contains("/health", StringComparison.Ordinal));
        }
    }

    private static List<JsonElement> Configurations(NodeProcess process) =>
        [.. process.Lines.Select(l => JsonDocument.Parse(l).RootElement).Where(e => e.GetProperty("Message").GetString()!.Contains("took a replicate configuration", StringComparison.Ordinal))];

    private static Task<ControlResponse> ChangeAsync(NodeProcess process, string channel, long broadcastId, ReplicateConfiguration configuration, bool forced) =>
        TestNode.OkAsync<ControlResponse>(process.SendAsync(HttpMethod.Post, $"channels/{channel}/control", new ControlRequest(
            broadcastId,
            VChannels.Control(channel),
            new BroadcastMessage(
                BroadcastMessage.AlterReplicateConfigKind,
                [VChannels.Control(channel)],
                [new ResourceKey(ResourceDomain.Cluster, "")],
                null,
                new AlterReplicateConfig(configuration, forced, Ignored: false)))));
}
