using System.Text.RegularExpressions;
using Baton.Core.Api;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Status;

/// <summary>What a running node prints, and that docs/metrics.md says the same.</summary>
public sealed partial class NodeMetricsTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task A_node_prints_what_it_did()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await node.AppendAsync(channel, "one", "two");
        await node.AppendAsync(channel, "three");
        await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(600_000)));
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/transactions/1/commit", new object()), ApiErrorCode.NotFound);
        await TestNode.ProblemAsync(node.Client.GetAsync("no/such/path?secret=x"), ApiErrorCode.NotFound);
        await TestNode.ProblemAsync(node.Anonymous.GetAsync("metrics"), ApiErrorCode.Unauthorized);
        await Eventually.HoldsAsync(async () => await ValueAsync(node, "baton_node_control_plane_calls_total", ("call", "heartbeat"), ("outcome", "ok")) > 0, "a heartbeat is counted");

        var families = await ReadAsync(node);
        Assert.Equal(3, families.Value("baton_node_appends_total", ("channel", channel)));
        Assert.Equal(4, families.Value("baton_node_appended_records_total", ("channel", channel)));
        Assert.Equal(3, families.Value("baton_wal_append_seconds_count"));
        Assert.Equal(4, families.Value("baton_node_last_durable_lsn", ("channel", channel)));
        Assert.Equal(1, families.Value("baton_node_open_transactions", ("channel", channel)));
        Assert.Equal(1, families.Value("baton_node_channel_term", ("channel", channel)));
        Assert.Equal(0, families.Value("baton_node_log_queued_bytes", ("channel", channel)));
        Assert.Equal(1, families.Value("baton_channel_openings_total", ("outcome", "opened")));
        Assert.Equal(1, families.Value("baton_channel_open_seconds_count"));
        Assert.Equal(1, families.Value("baton_node_control_plane_calls_total", ("call", "join"), ("outcome", "ok")));
        Assert.Equal(1, families.Value("baton_node_incarnation"));
        Assert.InRange(families.Value("baton_node_last_heartbeat_age_seconds"), 0, 60);
        Assert.Equal(2, families.Value("baton_node_requests_total", ("route", "/channels/{channel}/messages"), ("method", "POST"), ("code", "200")));
        Assert.Equal(2, families.Value("baton_node_request_seconds_count", ("route", "/channels/{channel}/messages"), ("method", "POST")));
        Assert.Equal(1, families.Value("baton_node_requests_total", ("route", "/channels/{channel}/transactions/{id:long}/commit"), ("method", "POST"), ("code", "404")));
        Assert.Equal(1, families.Value("baton_node_requests_total", ("route", "none"), ("method", "none"), ("code", "404")));
        Assert.Equal(1, families.Value("baton_node_requests_total", ("route", "/metrics"), ("method", "GET"), ("code", "401")));
        Assert.InRange(families.Value("baton_node_requests_in_progress"), 1, 2);
        Assert.InRange(families.Value("process_resident_memory_bytes"), 1 << 20, double.MaxValue);
        Assert.InRange(families.Value("process_uptime_seconds"), 0, 86_400);
    }

    [Fact]
    public async Task The_end_of_leading_is_counted_by_its_reason()
    {
        var (fenced, closed) = (NodeFixture.NewChannel(), NodeFixture.NewChannel());
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(fenced, "leader", 1, null), new Assignment(closed, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane);
        await node.LeadsAsync(fenced, 1);
        await node.LeadsAsync(closed, 1);
        await using var other = await fixture.OpenStore().OpenAsync(fenced, 2, "other", null, CancellationToken.None);
        await TestNode.ProblemAsync(node.PostAsync($"channels/{fenced}/messages", new AppendRequest([new MessageBody([1])])), ApiErrorCode.NotLeader);
        plane.Assign("node-1", new Assignment(fenced, "leader", 1, null));
        await Eventually.HoldsAsync(async () => await ValueAsync(node, "baton_channel_leadership_ends_total", ("reason", "closed")) == 1, "the close is counted");

        var families = await ReadAsync(node);
        Assert.Equal(1, families.Value("baton_channel_leadership_ends_total", ("reason", "fenced")));
        Assert.DoesNotContain(families.Single(f => f.Name == "baton_node_channel_term").Samples, s => s.Labels["channel"] == fenced);
    }

    [Fact]
    public async Task Heartbeats_that_fail_are_counted_and_the_age_of_the_last_one_grows()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane);
        await Eventually.HoldsAsync(() => plane.Heartbeats.ContainsKey("node-1"), "a heartbeat comes");
        plane.TakesHeartbeats = false;
        await Eventually.HoldsAsync(async () => await ValueAsync(node, "baton_node_control_plane_calls_total", ("call", "heartbeat"), ("outcome", "failed")) > 0, "a failure is counted");
        var age = await ValueAsync(node, "baton_node_last_heartbeat_age_seconds");
        Assert.True(await ValueAsync(node, "baton_node_last_heartbeat_age_seconds") > age);
    }

    [Fact]
    public async Task An_answer_of_429_is_counted_for_its_channel()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await Task.WhenAll(Enumerable.Range(0, 256).Select(_ => BeginAsync(node, channel)));
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(600_000)), ApiErrorCode.Overloaded);

        Assert.Equal(1, await ValueAsync(node, "baton_node_overloads_total", ("channel", channel)));
        Assert.Equal(256, await ValueAsync(node, "baton_node_open_transactions", ("channel", channel)));
    }

    [Fact]
    public async Task Every_family_is_in_the_page_and_the_page_names_no_other()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane);
        var page = await MetricsPage.ReadAsync();
        var described = Row().Matches(page).Select(m => $"{m.Groups["name"].Value} {m.Groups["type"].Value}").ToArray();

        Assert.Equal(described.Length, described.Distinct().Count());
        Assert.Equal((await ReadAsync(node)).Select(f => $"{f.Name} {f.Type}").Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    private static Task<BeginTransactionResponse> BeginAsync(TestNode node, string channel) =>
        TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(600_000)));

    private static async Task<IReadOnlyList<PrometheusFamily>> ReadAsync(TestNode node) => PrometheusText.Parse(await node.Client.GetStringAsync("metrics"));

    private static async Task<double> ValueAsync(TestNode node, string name, params (string, string)[] labels) => (await ReadAsync(node)).Value(name, labels);

    // | `name` | type | …
    [GeneratedRegex(@"^\| `(?<name>[a-z_]+)` \| (?<type>counter|gauge|histogram) \|", RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();
}
