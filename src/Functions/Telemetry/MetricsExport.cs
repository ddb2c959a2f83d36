using Baton.Functions.Settings;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Baton.Functions.Telemetry;

/// <summary>
/// Sends the control plane's metrics by OTLP (http/protobuf), where the standard setting <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says to: every minute (<c>OTEL_METRIC_EXPORT_INTERVAL</c>), and once
/// more when the app stops. A collector that is away costs what it was not sent, and nothing else waits for it.
/// </summary>
/// <param name="endpoint">Address of the collector; its path gets <c>/v1/metrics</c>.</param>
/// <param name="cluster">Which cluster the metrics are of.</param>
internal sealed class MetricsExport(Uri endpoint, ClusterOptions cluster) : IHostedService, IDisposable
{
    /// <summary>The setting that switches it on.</summary>
    public const string EndpointSetting = "OTEL_EXPORTER_OTLP_ENDPOINT";

    // Below the time that the host of the app has for its stop.
    private const int FlushTimeoutMs = 3_000;

    private MeterProvider? _provider;

    /// <summary>The collector's address, or null where there is none.</summary>
    /// <exception cref="InvalidSettingException">It is no address.</exception>
    public static Uri? EndpointFrom(IConfiguration configuration)
    {
        var value = configuration[EndpointSetting];
        return string.IsNullOrEmpty(value) ? null
            : Uri.TryCreate(value, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https" ? endpoint
            : throw new InvalidSettingException(EndpointSetting, value, "use the http or https address of an OTLP collector.");
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _provider = Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(r => r.AddService("baton-control-plane").AddAttributes([new("baton.cluster", cluster.Id)]))
            .AddMeter("Baton.*")
            .AddOtlpExporter(o =>
            {
                o.Protocol = OtlpExportProtocol.HttpProtobuf;
                o.Endpoint = new Uri($"{endpoint.AbsoluteUri.TrimEnd('/')}/v1/metrics");
            })
            .Build();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.Run(() => _provider?.Shutdown(FlushTimeoutMs), CancellationToken.None);

    /// <inheritdoc/>
    public void Dispose() => _provider?.Dispose();
}
