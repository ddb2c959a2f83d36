using Baton.Node.Tests.Harness;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Baton.Node.Tests.Settings;

/// <summary>Room for the connections of a gateway that lets all go at once.</summary>
public sealed class BacklogTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task Thousands_of_connections_may_wait_to_be_taken()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane);
        Assert.Equal(4_096, node.Services.GetRequiredService<IOptions<SocketTransportOptions>>().Value.Backlog);
    }
}
