using System.Net;
using System.Net.Sockets;
using Baton.Edge.Connections;
using Baton.Gateway.Forwarding;

namespace Baton.Gateway.Tests.Connections;

public sealed class ConnectFaultsTests
{
    [Fact]
    public async Task A_bare_socket_error_becomes_a_connection_that_was_not_made_and_the_gateway_takes_it_for_that()
    {
        var bare = new SocketException((int)SocketError.NotConnected);
        var thrown = await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(() => throw bare));
        Assert.Equal(HttpRequestError.ConnectionError, thrown.HttpRequestError);
        Assert.Equal(bare.Message, thrown.Message);
        Assert.Same(bare, thrown.InnerException);
        var reason = AttemptFault.Of(thrown, "node-1").Setback!.Reason;
        Assert.Equal(RetryReason.Refused, reason);
        Assert.False(reason.MayBeDone());
    }

    [Fact]
    public async Task Every_other_failure_and_every_answer_passes_as_it_is()
    {
        Exception[] others = [new HttpRequestException(HttpRequestError.ResponseEnded), new HttpIOException(HttpRequestError.InvalidResponse), new IOException("reset", new SocketException()), new TaskCanceledException()];
        foreach (var other in others)
        {
            Assert.Same(other, await Record.ExceptionAsync(() => SendAsync(() => throw other)));
        }

        using var answer = new HttpResponseMessage(HttpStatusCode.ServiceUnavailable);
        Assert.Same(answer, await SendAsync(() => answer));
    }

    private static async Task<HttpResponseMessage> SendAsync(Func<HttpResponseMessage> answer)
    {
        using var http = new HttpMessageInvoker(new ConnectFaults(new Peer(answer)));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("http://peer.invalid/"));
        return await http.SendAsync(request, CancellationToken.None);
    }

    private sealed class Peer(Func<HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await Task.Yield();
            return answer();
        }
    }
}
