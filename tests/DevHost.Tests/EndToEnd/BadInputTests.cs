using System.Net.Http.Headers;
using System.Text;
using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>What must be refused at the edge of a running cluster: the answer has the API's error shape, nothing is written, no secret is logged.</summary>
public sealed class BadInputTests
{
    private const string Path = "api/replicate-configuration";

    [Fact]
    public async Task Bad_input_gets_the_error_shape_writes_nothing_and_leaves_no_secret_in_the_logs()
    {
        await using var b = await PromotableCluster.StartAsync();
        await b.BecomeSecondaryAsync();
        var secrets = b.Cluster.Secrets;
        var before = await b.Client.GetAsync<ReplicateConfigurationView>(Path, CancellationToken.None);
        var status = await b.Client.StatusAsync(b.Cluster.Channels[0], CancellationToken.None);

        foreach (var (body, wrong) in MalformedBodies())
        {
            var answer = await PutAsync(b, body, secrets.AdminKey);
            AssertProblem(answer, 400, "InvalidArgument", wrong);
        }

        AssertProblem(await PutAsync(b, new string('x', 101 * 1024 * 1024), secrets.AdminKey), 413, "PayloadTooLarge", "101 MB");
        AssertProblem(await PutAsync(b, "{}", null), 401, "Unauthorized", "no key");
        AssertProblem(await PutAsync(b, "{}", "wrong-" + secrets.AdminKey), 401, "Unauthorized", "wrong key");
        AssertProblem(await PutAsync(b, "{}", secrets.FunctionKey), 401, "Unauthorized", "a key of too low a level");
        AssertProblem(await b.Client.ControlPlaneAsync<TopologyView>(HttpMethod.Get, "api/topology", null, null, CancellationToken.None), 401, "Unauthorized", "no key for a read");
        AssertProblem(await b.Client.ControlPlaneAsync<TopologyView>(HttpMethod.Get, "api/nothing-here", null, secrets.FunctionKey, CancellationToken.None), 404, "NotFound", "no such path");
        await AssertNodeRefusesAsync(b);

        Assert.Equal(before.Text, (await b.Client.GetAsync<ReplicateConfigurationView>(Path, CancellationToken.None)).Text);
        Assert.Equal(status.LastLsn, (await b.Client.StatusAsync(b.Cluster.Channels[0], CancellationToken.None)).LastLsn);
        AssertNoSecretLogged(b);
    }

    private static IEnumerable<(string Body, string What)> MalformedBodies() =>
    [
        ("", "an empty body"),
        ("{", "half a body"),
        ("null", "null"),
        ("[]", "an array"),
        ("\"text\"", "a text"),
        ("""{"configuration": 7, "forceUpdate": true}""", "a configuration that is a number"),
        ("""{"configuration": {"clusters": {}}, "forceUpdate": true}""", "clusters that are an object"),
        ("""{"configuration": {"clusters": []}, "forceUpdate": "yes"}""", "a flag that is a text"),
        ("""{"configuration": {"clusters": []}, "waitMs": "soon"}""", "a number that is a text"),
        ("""{"configuration": {"clusters": []}, "waitMs": -1}""", "a wait below its range"),
        ("""{"configuration": {"clusters": []}, "waitMs": 60001}""", "a wait above its range"),
        ("""{"configuration": {"clusters": []}, "forceUpdat": true}""", "a field nobody knows"),
        ("""{"configuration": {"clusters": []}, "forceUpdate": true, "forceUpdate": false, "dryRun": true}""", "a field that is there twice"),
        ("""{"configuration": {"clusters": [{"clusterId": 5}]}, "forceUpdate": true}""", "an id that is a number"),
    ];

    private static async Task AssertNodeRefusesAsync(PromotableCluster b)
    {
        var node = (await b.Client.TopologyAsync(CancellationToken.None)).Nodes[0].Endpoint;
        using var http = new HttpClient { BaseAddress = node };
        foreach (var (path, secret) in new[]
        {
            ("channels/b-ch0/messages", null),
            ("channels/b-ch0/messages", "wrong"),
            ("channels/b-ch0/control", b.Cluster.Secrets.ClientSecret),
            ("channels/b-ch0/replicate", b.Cluster.Secrets.ClientSecret),
            ("channels/b-ch0/open", null),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
            request.Headers.Authorization = secret is null ? null : new AuthenticationHeaderValue("Bearer", secret);
            using var response = await http.SendAsync(request);
            Assert.Equal((path, 401), (path, (int)response.StatusCode));
            Assert.Equal(Problem.MediaType, response.Content.Headers.ContentType?.MediaType);
        }

        using var large = new HttpRequestMessage(HttpMethod.Post, "channels/b-ch0/messages") { Content = new StringContent(new string('x', 101 * 1024 * 1024), Encoding.UTF8, "application/json") };
        large.Headers.Authorization = new AuthenticationHeaderValue("Bearer", b.Cluster.Secrets.ClientSecret);
        using var refused = await http.SendAsync(large);
        Assert.Equal((413, Problem.MediaType), ((int)refused.StatusCode, refused.Content.Headers.ContentType?.MediaType));
    }

    private static void AssertNoSecretLogged(PromotableCluster b)
    {
        var secrets = b.Cluster.Secrets;
        foreach (var file in Directory.EnumerateFiles(b.LogFolder))
        {
            using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            var text = reader.ReadToEnd();
            foreach (var secret in new[] { secrets.Account.Key, secrets.FunctionKey, secrets.AdminKey, secrets.SystemKey, secrets.ControlSecret, secrets.ClientSecret, secrets.ReplicationSecret })
            {
                Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
            }
        }
    }

    private static Task<ApiAnswer<UpdateReplicateConfigurationResponse>> PutAsync(PromotableCluster b, string body, string? key) =>
        b.Client.ControlPlaneAsync<UpdateReplicateConfigurationResponse>(HttpMethod.Put, Path, new StringContent(body, Encoding.UTF8, "application/json"), key, CancellationToken.None);

    private static void AssertProblem<T>(ApiAnswer<T> answer, int status, string code, string what)
        where T : class
    {
        Assert.Equal((what, status, code), (what, answer.Status, answer.Problem?.Code));
        Assert.Equal(status, answer.Problem!.Status);
        Assert.NotEmpty(answer.Problem.Detail);
        Assert.NotEmpty(answer.Problem.Title);
        Assert.NotEmpty(answer.Problem.Type);
    }
}
