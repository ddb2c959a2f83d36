using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Node.Tests.Harness;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Access;

public sealed class AccessTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private const string ReplicationSecret = "replication-secret-of-the-test";
    private const string Write = """{"messages":[{"payload":"YQ=="}]}""";

    [Fact]
    public async Task Without_a_secret_everything_but_health_is_refused_and_nothing_changes()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var before = await node.StatusAsync(channel);
        string[] posts = ["messages", "transactions", "transactions/1/messages", "transactions/1/commit", "transactions/1/rollback", "open", "close", "control", "replicate"];
        foreach (var path in posts)
        {
            await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/{path}", Write, node.Anonymous), ApiErrorCode.Unauthorized);
        }

        await TestNode.ProblemAsync(node.Anonymous.GetAsync($"channels/{channel}/messages"), ApiErrorCode.Unauthorized);
        await TestNode.ProblemAsync(node.Anonymous.GetAsync($"channels/{channel}/status"), ApiErrorCode.Unauthorized);
        await TestNode.ProblemAsync(node.Anonymous.GetAsync("metrics"), ApiErrorCode.Unauthorized);
        Assert.True((await node.Anonymous.GetAsync("health")).IsSuccessStatusCode);
        var after = await node.StatusAsync(channel);
        Assert.Equal((before.LastLsn, before.Term, before.Role), (after.LastLsn, after.Term, after.Role));
    }

    [Theory]
    [InlineData("open", """{"term":9}""")]
    [InlineData("close", """{"term":9}""")]
    [InlineData("control", "{}")]
    [InlineData("replicate", "{}")]
    public async Task The_client_secret_gives_no_orders(string path, string body)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/{path}", body), ApiErrorCode.Unauthorized);
        Assert.Equal(1, (await node.StatusAsync(channel)).Term);
    }

    [Theory]
    [InlineData("Bearer", "client-secret-of-the-tes")]
    [InlineData("Bearer", "client-secret-of-the-test2")]
    [InlineData("Bearer", "CLIENT-SECRET-OF-THE-TEST")]
    [InlineData("Basic", "client-secret-of-the-test")]
    [InlineData("Bearer", "")]
    public async Task A_wrong_secret_is_refused(string scheme, string secret)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"channels/{channel}/messages") { Content = new StringContent(Write, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue(scheme, secret);
        await TestNode.ProblemAsync(node.Anonymous.SendAsync(request), ApiErrorCode.Unauthorized);
        Assert.Empty((await node.ReadAsync(channel)).Messages);
    }

    [Fact]
    public async Task The_replication_secret_opens_the_taking_of_replicated_records_and_nothing_else()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: ("Cluster:ReplicationSecret", ReplicationSecret));
        await pair.FollowAsync(node);
        List<string> opened = [];
        foreach (var endpoint in node.Services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).OfType<RouteEndpoint>())
        {
            foreach (var method in endpoint.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods)
            {
                // Every parameter takes a number, which can be a channel's name too.
                var path = string.Join('/', endpoint.RoutePattern.PathSegments.Select(s => s.Parts[0] is RoutePatternLiteralPart literal ? literal.Content : "1"));
                using var answer = await SendAsync(node, new HttpMethod(method), path, ReplicationSecret, "{}");
                if (answer.StatusCode != HttpStatusCode.Unauthorized)
                {
                    opened.Add($"{method} {endpoint.RoutePattern.RawText}");
                }
            }
        }

        Assert.Equal(["GET /health", "POST /channels/{channel}/replicate"], opened.Order(StringComparer.Ordinal));
        var request = JsonSerializer.Serialize(new ReplicateRequest(Pair.Source, pair.SourceChannel, [Pair.Plain(1, 10, "x")]), BatonJson.Options);
        await TestNode.OkAsync<ReplicateResponse>(SendAsync(node, HttpMethod.Post, $"channels/{channel}/replicate", ReplicationSecret, request));
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, Pair.Plain(2, 20, "by the control secret")));
        await TestNode.ProblemAsync(SendAsync(node, HttpMethod.Post, $"channels/{channel}/replicate", ReplicationSecret + "x", request), ApiErrorCode.Unauthorized);
    }

    [Theory]
    [InlineData("")]
    [InlineData(ReplicationSecret)]
    public async Task Without_a_replication_secret_none_is_taken(string given)
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane, settings: ("Cluster:ReplicationSecret", ""));
        var problem = await TestNode.ProblemAsync(SendAsync(node, HttpMethod.Post, "channels/c/replicate", given, "{}"), ApiErrorCode.Unauthorized);
        Assert.Contains("replication secret", problem.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_control_secret_opens_the_client_paths_too()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var written = await TestNode.OkAsync<AppendResponse>(node.PostRawAsync($"channels/{channel}/messages", Write, node.Control));
        Assert.Equal(1, written.FirstLsn);
    }

    private static async Task<HttpResponseMessage> SendAsync(TestNode node, HttpMethod method, string path, string secret, string body)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secret);
        if (method != HttpMethod.Get)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        return await node.Anonymous.SendAsync(request);
    }
}
