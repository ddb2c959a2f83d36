using System.Text.RegularExpressions;
using Baton.Core.Api;
using Baton.Gateway.Tests.Harness;
using Baton.Node.Tests.Status;

namespace Baton.Gateway.Tests.Status;

/// <summary>What a running gateway prints, and that docs/metrics.md says the same.</summary>
public sealed partial class GatewayMetricsTests
{
    [Fact]
    public async Task A_gateway_prints_what_it_did()
    {
        await using var scene = await Scene.StartAsync();
        scene.First.Answer = (context, _, before) => before == 0 ? FakeNode.Refused(context, ApiErrorCode.Unavailable) : FakeNode.Appended(context);
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
        await scene.Gateway.AppendAsync("nothing").ProblemAsync(ApiErrorCode.NotFound);

        var families = await ReadAsync(scene);
        Assert.Equal(2, families.Value("baton_gateway_requests_total", ("code", "200")));
        Assert.Equal(1, families.Value("baton_gateway_requests_total", ("code", "404")));
        Assert.Equal(3, families.Value("baton_gateway_request_seconds_count"));
        Assert.Equal(1, families.Value("baton_gateway_held_seconds_count"));
        Assert.Equal(0, families.Value("baton_gateway_held_requests"));
        Assert.Equal(1, families.Value("baton_gateway_retries_total", ("reason", "unavailable")));
        Assert.Equal(1, families.Value("baton_gateway_route_polls_total", ("outcome", "changed")));
        Assert.Equal(scene.Gateway.Routes.Version, families.Value("baton_gateway_route_version"));
        Assert.Equal(1, families.Value("baton_gateway_route_channels"));
        Assert.Equal(1, families.Value("baton_gateway_producers"));
    }

    [Fact]
    public async Task Every_family_is_in_the_page_and_the_page_names_no_other()
    {
        await using var scene = await Scene.StartAsync();
        var page = await MetricsPage.ReadAsync();
        var described = Row().Matches(page).Select(m => $"{m.Groups["name"].Value} {m.Groups["type"].Value}").ToArray();
        var printed = (await ReadAsync(scene)).Where(f => f.Name.StartsWith("baton_", StringComparison.Ordinal)).Select(f => $"{f.Name} {f.Type}");
        Assert.Equal(printed.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    private static async Task<IReadOnlyList<PrometheusFamily>> ReadAsync(Scene scene) => PrometheusText.Parse(await scene.Gateway.MetricsAsync());

    // | `name`, type | …
    [GeneratedRegex(@"^\| `(?<name>baton_gateway_[a-z_]+)`, (?<type>counter|gauge|histogram) \|", RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();
}
