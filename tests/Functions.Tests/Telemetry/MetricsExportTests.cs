using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Baton.Functions.Failover;
using Baton.Functions.ForcedPromotion;
using Baton.Functions.Reconcile;
using Baton.Functions.Recovery;
using Baton.Functions.Settings;
using Baton.Functions.Telemetry;
using Baton.Node.Tests.Status;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Baton.Functions.Tests.Telemetry;

public sealed partial class MetricsExportTests
{
    [Fact]
    public async Task What_was_counted_is_sent_at_the_stop_at_the_latest()
    {
        var received = new ConcurrentQueue<(string Path, string Body)>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        await using var collector = builder.Build();
        collector.MapPost("/{**path}", async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            received.Enqueue((context.Request.Path, Encoding.Latin1.GetString(body.ToArray())));
        });
        await collector.StartAsync();

        using var export = Service(("Cluster:Id", "b"), (MetricsExport.EndpointSetting, collector.Urls.First() + "/base"))!;
        await export.StartAsync(default);
        PromotionMetrics.Count("refused");
        await export.StopAsync(default);

        var (path, sent) = received.Last();
        Assert.Equal("/base/v1/metrics", path);
        Assert.Contains("baton_force_update_total", sent, StringComparison.Ordinal);
        Assert.Contains("refused", sent, StringComparison.Ordinal);
        Assert.Contains("baton-control-plane", sent, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_collector_nothing_is_sent() => Assert.Null(Service(("Cluster:Id", "b")));

    [Fact]
    public void An_address_that_is_none_stops_the_start() =>
        Assert.Throws<InvalidSettingException>(() => Service(("Cluster:Id", "b"), (MetricsExport.EndpointSetting, "collector:4318")));

    [Fact]
    public async Task Every_metric_is_on_its_page_and_the_reverse()
    {
        var code = new SortedSet<string>(StringComparer.Ordinal);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name is "Baton.Failover" or "Baton.ForcedPromotion" or "Baton.Reconcile" or "Baton.Recovery")
            {
                code.Add($"{instrument.GetType().Name.Split('`')[0].ToLowerInvariant()} {instrument.Name}");
            }
        };
        RuntimeHelpers.RunClassConstructor(typeof(FailoverMetrics).TypeHandle);
        RuntimeHelpers.RunClassConstructor(typeof(PromotionMetrics).TypeHandle);
        RuntimeHelpers.RunClassConstructor(typeof(ReconcileMetrics).TypeHandle);
        RuntimeHelpers.RunClassConstructor(typeof(RecoveryMetrics).TypeHandle);
        listener.Start();
        var page = await MetricsPage.ReadAsync();
        Assert.Equal(code, Row().Matches(page).Select(m => $"{m.Groups["type"].Value} {m.Groups["name"].Value}").Order(StringComparer.Ordinal), StringComparer.Ordinal);
    }

    private static MetricsExport? Service(params (string Name, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([.. settings.Select(s => new KeyValuePair<string, string?>(s.Name, s.Value)), new("Cluster:Secret", "a-secret-of-the-tests"), new("Storage:ConnectionString", "UseDevelopmentStorage=true")])
            .Build();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddCapabilities(configuration);
        return services.BuildServiceProvider().GetServices<IHostedService>().OfType<MetricsExport>().SingleOrDefault();
    }

    // | type | `name` | …
    [GeneratedRegex(@"^\| (?<type>counter|gauge|histogram) \| `(?<name>[a-z_]+)` \|", RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();
}
