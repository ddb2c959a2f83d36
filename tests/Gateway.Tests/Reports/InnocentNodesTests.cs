using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Baton.Core.Api;
using Baton.Gateway.Forwarding;
using Baton.Gateway.Tests.Harness;

namespace Baton.Gateway.Tests.Reports;

/// <summary>Who must not be reported, since nothing is known against it.</summary>
public sealed class InnocentNodesTests
{
    [Theory]
    [InlineData("Content-Type", "application/json; x=\u00e9")]
    [InlineData("X-Baton-Producer", "\u00e9;1")]
    public async Task A_header_that_is_not_ASCII_goes_on_as_it_came_and_its_leader_is_not_reported(string name, string value)
    {
        await using var scene = await Scene.StartAsync();
        using var client = new HttpClient(new SocketsHttpHandler { RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8 }) { BaseAddress = scene.Gateway.Address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestGateway.ClientSecret);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("channels/ch/messages", UriKind.Relative)) { Content = new StringContent("{}") };
        request.Content.Headers.Remove(name);
        Assert.True(name == "Content-Type" ? request.Content.Headers.TryAddWithoutValidation(name, value) : request.Headers.TryAddWithoutValidation(name, value));
        await client.SendAsync(request).AppendedAsync();
        var received = Assert.Single(scene.First.Received);
        Assert.Equal(value, name == "Content-Type" ? received.ContentType : received.Stamp);
        Assert.Empty(scene.Plane.Reports);
    }

    [Fact]
    public async Task A_node_that_only_a_hint_names_is_not_reported_before_the_route_says_which_of_its_starts_it_is_about()
    {
        await using var scene = await Scene.StartAsync();
        await scene.Second.DownAsync();
        scene.First.Answer = (context, _, _) => FakeNode.Refused(context, ApiErrorCode.NotLeader, leader: new LeaderHint("node-2", scene.Second.Address, 2));
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await Eventually.HoldsAsync(() => scene.HasRetriedAsync("refused"), "the node of the hint was tried");
        scene.Plane.Lead("ch", scene.Second, term: 2, incarnation: 7);
        await Eventually.HoldsAsync(() => !scene.Plane.Reports.IsEmpty, "the node of the route is reported");
        Assert.All(scene.Plane.Reports, r => Assert.Equal(("node-2", 7L), (r.NodeId, r.Report.Incarnation)));
        await scene.Second.UpAsync();
        await append;
    }

    [Fact]
    public async Task An_answer_that_is_no_HTTP_is_asked_for_again_and_its_sender_is_not_reported()
    {
        await using var scene = await Scene.StartAsync();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await scene.First.DownAsync();
        scene.Plane.Lead("ch", "node-3", new Uri($"http://{listener.LocalEndpoint}"), term: 2);
        await Eventually.HoldsAsync(() => scene.Gateway.Routes.Find("ch")?.Leader?.NodeId == "node-3", "the gateway has the route");
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        var retried = Eventually.HoldsAsync(() => scene.HasRetriedAsync("unreadable"), "what came was no answer");
        var accepted = listener.AcceptSocketAsync();
        while (await Task.WhenAny(accepted, retried) == accepted)
        {
            // Beside each other: a pool may make a connection that it then has no use for.
            _ = BabbleAsync(await accepted);
            accepted = listener.AcceptSocketAsync();
        }

        await retried;
        scene.Plane.Lead("ch", scene.Second, term: 3);
        await append;
        Assert.Empty(scene.Plane.Reports);
    }

    [Theory]
    [InlineData(SocketError.ConnectionRefused, HttpRequestError.ConnectionError, RetryReason.Refused)]
    [InlineData(SocketError.HostUnreachable, HttpRequestError.ConnectionError, RetryReason.Refused)]
    [InlineData(SocketError.HostNotFound, HttpRequestError.NameResolutionError, RetryReason.Refused)]
    [InlineData(SocketError.TooManyOpenSockets, HttpRequestError.ConnectionError, RetryReason.NoSocket)]
    [InlineData(SocketError.AddressNotAvailable, HttpRequestError.ConnectionError, RetryReason.NoSocket)]
    [InlineData(SocketError.NetworkUnreachable, HttpRequestError.ConnectionError, RetryReason.NoSocket)]
    [InlineData(SocketError.TryAgain, HttpRequestError.NameResolutionError, RetryReason.NoSocket)]
    internal void What_the_gateway_itself_lacks_is_not_held_against_the_node(SocketError error, HttpRequestError kind, RetryReason reason)
    {
        var setback = AttemptFault.Of(new HttpRequestException(kind, "as the test wants it", new SocketException((int)error)), "node-1").Setback;
        Assert.Equal(reason, setback?.Reason);
        Assert.Equal(reason == RetryReason.Refused, reason.IsUnreachable());
        Assert.False(reason.MayBeDone());
    }

    private static async Task BabbleAsync(Socket socket)
    {
        using (socket)
        {
            if (await socket.ReceiveAsync(new byte[64 * 1024]) > 0)
            {
                await socket.SendAsync("no answer at all\r\n\r\n"u8.ToArray());
            }
        }
    }
}
