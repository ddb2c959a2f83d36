using System.CommandLine;
using System.Globalization;
using Baton.Bench.Wal;
using Baton.Core.Api;
using Baton.DevHost.Clusters;
using Baton.Storage;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;
using Spectre.Console;

namespace Baton.Bench.Node;

/// <summary>A real node of a real local cluster under the appends of many producers, and then its log read back: everything acknowledged is there, once.</summary>
internal static class NodeLoadBench
{
    private static readonly TimeSpan RawAtMost = TimeSpan.FromSeconds(10);

    /// <summary>Storage is in memory. A run that follows has its log deleted behind it; a check that does not keep up finds its place deleted, and fails.</summary>
    private static readonly Dictionary<string, string> DeletedBehind = new(StringComparer.Ordinal)
    {
        ["Wal__MaxSegmentBytes"] = (64 * 1024 * 1024).ToString(CultureInfo.InvariantCulture),
        ["Wal__RetainBytes"] = (1024L * 1024 * 1024).ToString(CultureInfo.InvariantCulture),
    };

    public static Command Command()
    {
        var seconds = Number("--seconds", "How long the producers run.", 20, 1, 86_400);
        var rate = Number("--rate", "Messages a second at most, of all producers together; 0 for no limit.", 0, 0, 10_000_000);
        var batch = Number("--batch", "Messages of one request.", 200, 1, 1_000);
        var producers = Number("--producers", "Producers at once.", 64, 1, 10_000);
        var channels = Number("--channels", "Channels, with as many producers each.", 1, 1, 256);
        var follow = new Option<bool>("--follow") { Description = "Checks the log while it is written and has all but the last GiB deleted: for runs that would not fit in memory. Give a --rate: the check takes its share of the machine, and the storage frees only every ten minutes what was deleted." };
        var command = new Command("node-load", "A node under appends in binary frames over HTTP, beside raw AppendBlock; its memory; and whether its log holds exactly what it acknowledged.") { seconds, rate, batch, producers, channels, follow };
        command.SetAction((parsed, ct) => RunAsync(
            new LoadPlan(parsed.GetValue(producers), parsed.GetValue(batch), parsed.GetValue(rate), TimeSpan.FromSeconds(parsed.GetValue(seconds))),
            parsed.GetValue(channels),
            parsed.GetValue(follow),
            ct));
        return command;
    }

    private static async Task<int> RunAsync(LoadPlan plan, int channels, bool follow, CancellationToken ct)
    {
        // Azurite would stop answering in the midst of a ten-minute run: see its launcher.
        Environment.SetEnvironmentVariable("AZURITE_COLLECTION_MINUTES", "1440");
        var folder = Directory.CreateTempSubdirectory("baton-bench-").FullName;
        try
        {
            await using var machine = await LocalMachine.StartAsync(folder, ["a"], keepData: false, ct);
            var cluster = await machine.StartClusterAsync("a", o => o with { Gateway = false, Nodes = 1, Channels = channels, NodeSettings = follow ? DeletedBehind : o.NodeSettings }, ct);
            var route = (await cluster.Client.GetAsync<RouteView>("api/route", ct)).Value;
            var leader = route.Channels[cluster.Channels[0]].Endpoint;
            var storage = BatonStorage.Open(new StorageOptions { ConnectionString = machine.Azurite.ConnectionString(cluster.Secrets.Account.Name) });
            var store = new WalStore(storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);

            await WarmUpAsync(plan, cluster, leader, ct);
            using var load = new Load(plan, [.. cluster.Channels.Select(c => new Uri(leader, $"channels/{c}/messages"))], cluster.Secrets.ClientSecret);

            // The host of the control plane comes first, then the node.
            using var samples = new NodeSamples(cluster.ProcessIds[1], machine.Azurite.Process.Id, new Uri(leader, "metrics"), cluster.Secrets.ClientSecret, load);
            LoadCheck[] checks = [.. cluster.Channels.Select((c, i) => new LoadCheck(store, c, load, i, plan.Producers, plan.Batch))];
            var started = System.Diagnostics.Stopwatch.GetTimestamp();
            var running = load.RunAsync(ct);
            var checking = follow ? CheckAsync(checks, running, ct) : Task.CompletedTask;
            await Task.WhenAll(running, samples.RunAsync(running, ct));
            var elapsed = System.Diagnostics.Stopwatch.GetElapsedTime(started);
            await (follow ? checking : CheckAsync(checks, running, ct));

            var block = await Appends.BytesPerBlockAsync(storage, cluster.Channels[0], ct);
            await storage.Blobs.GetBlobContainerClient("raw").CreateIfNotExistsAsync(cancellationToken: ct);
            var raw = await Appends.RawRateAsync(storage, block, plan.Duration < RawAtMost ? plan.Duration : RawAtMost, ct);
            Print(plan, channels, load, elapsed, raw, block);
            Print(samples);
            if (samples.StoppedAtBytes is { } held)
            {
                Console.WriteLine(Text($"Stopped after {elapsed.TotalSeconds:0} s, since the storage held {held / (1 << 20):N0} MiB in memory: give a lower --rate, and --follow."));
            }

            return Report(checks, load);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // Producers of their own, on a transaction that is rolled back: the path is warm, and nothing of it is among what is counted.
    private static async Task WarmUpAsync(LoadPlan plan, LocalCluster cluster, Uri leader, CancellationToken ct)
    {
        var begun = (await cluster.Client.LeaderAsync<BeginTransactionResponse>(HttpMethod.Post, cluster.Channels[0], "transactions", ClusterClient.Json(new BeginTransactionRequest(60_000)), asControlPlane: false, ct)).Value;
        using var warm = new Load(plan with { Producers = 4, Batch = 1, Rate = 2_000, Duration = TimeSpan.FromSeconds(3), FirstProducer = plan.Producers }, [new Uri(leader, $"channels/{cluster.Channels[0]}/transactions/{begun.TxnId}/messages")], cluster.Secrets.ClientSecret);
        await warm.RunAsync(ct);
        _ = (await cluster.Client.LeaderAsync<AppendResponse>(HttpMethod.Post, cluster.Channels[0], $"transactions/{begun.TxnId}/rollback", null, asControlPlane: false, ct)).Value;
    }

    private static Task CheckAsync(LoadCheck[] checks, Task ended, CancellationToken ct) => Task.WhenAll(checks.Select(c => Task.Run(() => c.RunAsync(ended, ct), ct)));

    private static void Print(LoadPlan plan, int channels, Load load, TimeSpan elapsed, double raw, int block)
    {
        var (rate, times) = (load.Messages / elapsed.TotalSeconds, load.Times());
        var bytes = rate * LoadMessages.MessageBytes;
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "Baton", "raw", "ratio", "must reach");
        table.AddRow(
            Text($"{plan.Producers} producers, {channels} channels, {LoadMessages.MessageBytes} B, {plan.Batch} a request{(plan.Rate > 0 ? $", at most {plan.Rate} msg/s" : "")}"),
            Text($"{rate:N0} msg/s, {bytes / 1e6:0.0} MB/s"),
            Text($"{raw / 1e6:0.0} MB/s in blocks of {block:N0} B"),
            Text($"{bytes / raw:0.00}"),
            "≥ 30,000 msg/s");
        table.AddRow("a request, p50", Samples.Ms(times.Median), "", "", "");
        table.AddRow("a request, p99", Samples.Ms(times.Percentile(0.99)), "", "", "");
        table.AddRow("a request, worst", Samples.Ms(times.Worst), "", "", "");
        table.AddRow("requests sent again", Text($"{load.Repeats:N0} of {times.Count:N0}"), "", "", "");
        AnsiConsole.Write(table);
    }

    private static void Print(NodeSamples samples)
    {
        var (first, last) = (samples.Third(last: false), samples.Third(last: true));
        var table = new Table().Border(TableBorder.Markdown).AddColumns("through the run", "first third", "last third", "most");
        Add("node, working set", s => s.WorkingSetBytes);
        Add("node, managed heap", s => s.HeapBytes);
        Add("storage service, working set", s => s.StorageBytes);
        table.AddRow("acknowledged", Rate(first), Rate(last), "");
        AnsiConsole.Write(table);
        Console.WriteLine($"Node minute by minute, working set and heap in MiB: {string.Join(", ", samples.All.GroupBy(s => (int)s.At.TotalMinutes).Select(OfMinute))}");

        static string OfMinute(IEnumerable<NodeSample> minute) => Text($"{minute.Average(s => s.WorkingSetBytes) / (1 << 20):0} {minute.Average(s => s.HeapBytes) / (1 << 20):0}");

        void Add(string name, Func<NodeSample, long?> of) => table.AddRow(name, MebiBytes(first.Average(of)), MebiBytes(last.Average(of)), MebiBytes(samples.All.Max(of)));
    }

    private static int Report(LoadCheck[] checks, Load load)
    {
        var problems = checks.SelectMany(c => c.Problems).ToList();
        Console.WriteLine(Text($"{load.Messages:N0} messages acknowledged, {checks.Sum(c => c.Messages):N0} read back and checked, {problems.Count} problems"));
        problems.ForEach(Console.WriteLine);
        Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
        return problems.Count == 0 ? 0 : 1;
    }

    private static string Rate(IReadOnlyList<NodeSample> samples) => samples.Count < 2
        ? "-"
        : Text($"{(samples[^1].Messages - samples[0].Messages) / (samples[^1].At - samples[0].At).TotalSeconds:N0} msg/s");

    private static string MebiBytes(double? bytes) => bytes is null ? "not told" : Text($"{bytes / (1 << 20):N0} MiB");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static Option<int> Number(string name, string description, int otherwise, int least, int most)
    {
        var option = new Option<int>(name) { Description = Text($"{description} {least} to {most}, {otherwise} when absent."), DefaultValueFactory = _ => otherwise };
        option.Validators.Add(r =>
        {
            var value = r.GetValueOrDefault<int>();
            if (value < least || value > most)
            {
                r.AddError(Text($"{name} must be {least} to {most}, got {value}."));
            }
        });
        return option;
    }
}
