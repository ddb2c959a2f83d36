using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Baton.Core.Api;
using Baton.Gateway.Tests.Harness;

namespace Baton.Gateway.Tests.Forwarding;

/// <summary>What goes to the node, and what comes back, while nothing fails.</summary>
public sealed class ForwardingTests : IAsyncLifetime
{
    private ScriptedControlPlane _plane = null!;
    private FakeNode _node = null!;
    private TestGateway _gateway = null!;

    public async Task InitializeAsync()
    {
        _plane = await ScriptedControlPlane.StartAsync();
        _node = await FakeNode.StartAsync("node-1");
        _plane.Lead("ch", _node, term: 7);
        _gateway = await TestGateway.StartAsync(_plane);
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _node.DisposeAsync();
        await _plane.DisposeAsync();
    }

    [Fact]
    public async Task An_append_goes_to_the_leader_as_it_came_with_the_term_of_the_route_and_a_stamp()
    {
        using var body = new ByteArrayContent([1, 2, 3]);
        body.Headers.ContentType = MediaTypeHeaderValue.Parse("application/x-baton-frames; v=1");
        var answer = await _gateway.Client.PostAsync(new Uri("channels/ch/messages?a=%2Fb&c", UriKind.Relative), body).AppendedAsync();
        Assert.Equal(1, answer.FirstLsn);

        var received = Assert.Single(_node.Received);
        Assert.Equal(("POST", "/channels/ch/messages", "?a=%2Fb&c"), (received.Method, received.Path, received.Query));
        Assert.Equal([1, 2, 3], received.Body);
        Assert.Equal("application/x-baton-frames; v=1", received.ContentType);
        Assert.Equal($"Bearer {TestGateway.ClientSecret}", received.Authorization);
        Assert.Equal("7", received.Term);
        Assert.Matches("^[a-z0-9][a-z0-9._-]{0,62};1$", received.Stamp);
    }

    [Fact]
    public async Task Answers_come_back_as_the_node_gave_them()
    {
        _node.Answer = (context, _, _) => FakeNode.Refused(context, ApiErrorCode.Overloaded, "the queue is full", retryAfter: 7);
        using var answer = await _gateway.AppendAsync("ch");
        Assert.Equal((HttpStatusCode.TooManyRequests, "application/problem+json"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        Assert.Equal(TimeSpan.FromSeconds(7), answer.Headers.RetryAfter?.Delta);
        Assert.Contains("the queue is full", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Single(_node.Received);
    }

    [Theory]
    [InlineData(ApiErrorCode.InvalidArgument)]
    [InlineData(ApiErrorCode.FeatureDisabled)]
    [InlineData(ApiErrorCode.NotFound)]
    [InlineData(ApiErrorCode.Conflict)]
    [InlineData(ApiErrorCode.PayloadTooLarge)]
    [InlineData(ApiErrorCode.RangeNotSatisfiable)]
    [InlineData(ApiErrorCode.Internal)]
    public async Task Errors_that_another_attempt_would_not_change_pass_at_once(ApiErrorCode code)
    {
        _node.Answer = (context, _, _) => FakeNode.Refused(context, code);
        Assert.Equal("as the test wants it", (await _gateway.AppendAsync("ch").ProblemAsync(code)).Detail);
        Assert.Single(_node.Received);
    }

    [Fact]
    public async Task Reads_carry_no_stamp_and_an_answer_without_length_comes_back_whole()
    {
        var large = Encoding.UTF8.GetBytes(new string('x', 3_000_000));
        _node.Answer = async (context, _, _) =>
        {
            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync(large);
        };
        using var answer = await _gateway.GetAsync("channels/ch/messages?from=3&isolation=all");
        Assert.Equal(large, await answer.Content.ReadAsByteArrayAsync());
        var received = Assert.Single(_node.Received);
        Assert.Equal(("GET", "?from=3&isolation=all", null, "7"), (received.Method, received.Query, received.Stamp, received.Term));
    }

    [Fact]
    public async Task An_answer_above_what_is_kept_is_passed_on_while_it_comes()
    {
        var chunk = new byte[1024 * 1024];
        Random.Shared.NextBytes(chunk);
        _node.Answer = async (context, _, _) =>
        {
            for (var i = 0; i < 20; i++)
            {
                await context.Response.Body.WriteAsync(chunk);
            }
        };
        using var answer = await _gateway.GetAsync("channels/ch/messages");
        var body = await answer.Content.ReadAsByteArrayAsync();
        Assert.Equal(20 * chunk.Length, body.Length);
        Assert.Equal(chunk, body.AsSpan(19 * chunk.Length));
    }

    [Theory]
    [InlineData("transactions", false)]
    [InlineData("transactions/12/messages", true)]
    [InlineData("transactions/12/commit", false)]
    [InlineData("transactions/12/rollback", false)]
    public async Task Transactions_go_the_same_way_and_only_their_appends_are_stamped(string path, bool stamped)
    {
        using var answer = await _gateway.Client.PostAsync(new Uri($"channels/ch/{path}", UriKind.Relative), path.EndsWith("commit", StringComparison.Ordinal) ? null : TestGateway.Json("{}"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var received = Assert.Single(_node.Received);
        Assert.Equal(($"/channels/ch/{path}", stamped), (received.Path, received.Stamp is not null));
    }

    [Fact]
    public async Task A_stamp_that_the_client_has_put_into_the_header_is_left_as_it_is()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("channels/ch/messages", UriKind.Relative)) { Content = TestGateway.Json("{}") };
        request.Headers.Add(BatonHeaders.Producer, "mine;42");
        await _gateway.Client.SendAsync(request).AppendedAsync();
        Assert.Equal("mine;42", Assert.Single(_node.Received).Stamp);
    }

    [Fact]
    public async Task A_stamp_in_the_body_is_left_as_it_is()
    {
        const string Body = """{"messages":[{"payload":"AAAA"}],"producer":{"id":"mine","sequence":42}}""";
        await _gateway.Client.PostAsync(new Uri("channels/ch/messages", UriKind.Relative), TestGateway.Json(Body)).AppendedAsync();
        Assert.Equal(Body, Encoding.UTF8.GetString(Assert.Single(_node.Received).Body));
    }

    [Theory]
    [InlineData("GET", "")]
    [InlineData("GET", "channels")]
    [InlineData("GET", "channels/ch/status")]
    [InlineData("POST", "channels/ch/open")]
    [InlineData("POST", "channels/ch/control")]
    [InlineData("POST", "channels/ch/replicate")]
    [InlineData("POST", "replicas/ch/connect")]
    [InlineData("POST", "channels/open")]
    public async Task What_is_not_for_clients_is_not_there(string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        await _gateway.Client.SendAsync(request).ProblemAsync(ApiErrorCode.NotFound);
        Assert.Empty(_node.Received);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("another-secret-of-the-test")]
    public async Task Without_the_client_secret_nothing_is_forwarded(string? secret)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_gateway.Address, "channels/ch/messages")) { Content = TestGateway.Json("{}") };
        request.Headers.Authorization = secret is null ? null : new AuthenticationHeaderValue("Bearer", secret);
        await _gateway.Anonymous.SendAsync(request).ProblemAsync(ApiErrorCode.Unauthorized);
        Assert.Empty(_node.Received);
    }

    [Fact]
    public async Task The_metadata_goes_to_some_node_while_nobody_leads_it_and_to_its_leader_then()
    {
        using (var answer = await _gateway.GetAsync("metadata/topics/t?x=1"))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        Assert.Equal(("/metadata/topics/t", "?x=1", null), (_node.Received.Last().Path, _node.Received.Last().Query, _node.Received.Last().Term));

        await using var leader = await FakeNode.StartAsync("node-2");
        _plane.Lead("__metadata", leader, term: 3);
        await Eventually.HoldsAsync(() => _gateway.Routes.Find("__metadata") is not null, "the route has a leader of the metadata");
        using (var answer = await _gateway.Client.PostAsync(new Uri("metadata/commands", UriKind.Relative), TestGateway.Json("{}")))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        var received = Assert.Single(leader.Received);
        Assert.Equal(("POST", "/metadata/commands", "3"), (received.Method, received.Path, received.Term));
        Assert.NotNull(received.Stamp);
    }

    [Fact]
    public async Task A_metadata_command_that_may_have_been_done_is_sent_again_with_its_stamp()
    {
        _node.Answer = (context, _, nth) => nth < 2 ? FakeNode.Reset(context) : FakeNode.Appended(context);
        using var answer = await _gateway.Client.PostAsync(new Uri("metadata/commands", UriKind.Relative), TestGateway.Json("{}"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(3, _node.Received.Count);
        Assert.NotNull(Assert.Single(_node.Received.Select(r => r.Stamp).Distinct()));
    }

    [Fact]
    public async Task The_first_append_to_a_partition_goes_to_some_node_which_creates_its_topic_or_says_why_not()
    {
        using (var answer = await _gateway.AppendAsync("fresh-0"))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        var received = Assert.Single(_node.Received);
        Assert.Equal(("/channels/fresh-0/messages", null), (received.Path, received.Term));
        Assert.NotNull(received.Stamp);

        _node.Answer = (context, _, _) => FakeNode.Refused(context, ApiErrorCode.NotFound, "there is no channel fresh-1");
        var problem = await _gateway.AppendAsync("fresh-1").ProblemAsync(ApiErrorCode.NotFound);
        Assert.Equal("there is no channel fresh-1", problem.Detail);
        await _gateway.AppendAsync("fresh").ProblemAsync(ApiErrorCode.NotFound);
        await _gateway.GetAsync("channels/fresh-2/messages").ProblemAsync(ApiErrorCode.NotFound);
        Assert.Equal(2, _node.Received.Count);
    }

    [Fact]
    public async Task A_body_above_8_MiB_is_refused_and_not_forwarded()
    {
        using var body = new ByteArrayContent(new byte[(8 * 1024 * 1024) + 1]);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        await _gateway.Client.PostAsync(new Uri("channels/ch/messages", UriKind.Relative), body).ProblemAsync(ApiErrorCode.PayloadTooLarge);
        Assert.Empty(_node.Received);
    }

    [Fact]
    public async Task A_client_that_hangs_up_ends_its_request_at_the_node()
    {
        var gone = new TaskCompletionSource();
        _node.Answer = (context, _, _) =>
        {
            context.RequestAborted.Register(() => gone.TrySetResult());
            return FakeNode.Silent(context);
        };
        using var client = new CancellationTokenSource();
        var append = _gateway.AppendAsync("ch", ct: client.Token);
        await Eventually.HoldsAsync(() => !_node.Received.IsEmpty, "the node has the append");
        await client.CancelAsync();
        await gone.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => append);
        await Eventually.HoldsAsync(async () => (await _gateway.MetricsAsync()).Contains("baton_gateway_requests_total{code=\"abandoned\"} 1", StringComparison.Ordinal), "the request is counted as abandoned");
        Assert.Empty(_plane.Reports);
    }
}
