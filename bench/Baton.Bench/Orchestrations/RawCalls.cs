using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Baton.DevHost.Processes;
using Baton.OrchestrationApp;
using Baton.OrchestrationApp.Throughput;
using Baton.Storage.Tables;

namespace Baton.Bench.Orchestrations;

/// <summary>
/// The calls that an orchestration cannot do without, and nothing else: a row is added at the start, and then for each turn the handler is called and the row
/// written under its ETag, and for each activity the handler is called. What is left out is what an engine is: history, replay, waiting, order.
/// </summary>
internal sealed class RawCalls : IAsyncDisposable
{
    private static readonly byte[] Envelope = Encoding.UTF8.GetBytes("""{"Data":{"value":"\"1\""},"Metadata":{}}""");

    private readonly ChildProcess _handler;
    private readonly HttpClient _http;
    private readonly TableClient _table;

    private RawCalls(ChildProcess handler, HttpClient http, TableClient table) => (_handler, _http, _table) = (handler, http, table);

    public static async Task<RawCalls> StartAsync(string storage, CancellationToken cancellationToken)
    {
        var table = new TableServiceClient(storage).GetTableClient("raw");
        await table.CreateIfNotExistsAsync(cancellationToken);
        var port = FreePort();
        var handler = ChildProcess.Start(new ChildProcessStart(
            "raw handler",
            AppFolder.Executable,
            [],
            Environment: new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["FUNCTIONS_CUSTOMHANDLER_PORT"] = port.ToString(CultureInfo.InvariantCulture),
                ["ExitWhenStdinCloses"] = "true",
            }));
        var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        await UntilReadyAsync(http, cancellationToken);
        return new RawCalls(handler, http, table);
    }

    /// <summary>The calls of an orchestration of so many activities, one after the other.</summary>
    public async Task OrchestrationAsync(int activities, CancellationToken cancellationToken)
    {
        var row = new TableEntity(Guid.NewGuid().ToString("N"), "i") { ["Value"] = Envelope };
        var etag = (await _table.AddEntityAsync(row, cancellationToken)).Headers.ETag!.Value;
        for (var activity = 0; ; activity++)
        {
            await CallAsync(cancellationToken);
            etag = (await _table.UpdateEntityAsync(row, etag, TableUpdateMode.Replace, cancellationToken)).Headers.ETag!.Value;
            if (activity == activities)
            {
                return;
            }

            await CallAsync(cancellationToken);
        }
    }

    /// <summary>The calls of so many activities at once.</summary>
    public Task ActivitiesAsync(int activities, int atATime, CancellationToken cancellationToken) => Parallel.ForAsync(
        0,
        activities,
        new ParallelOptions { MaxDegreeOfParallelism = atATime, CancellationToken = cancellationToken },
        async (_, token) => await CallAsync(token));

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _handler.DisposeAsync();
    }

    private async Task CallAsync(CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(Envelope) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        using var answer = await _http.PostAsync(new Uri(nameof(Fanning.Echo), UriKind.Relative), content, cancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    private static async Task UntilReadyAsync(HttpClient http, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        while (true)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri("/", UriKind.Relative), limit.Token);
                return;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(25, limit.Token);
            }
        }
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
