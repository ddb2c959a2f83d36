using System.Globalization;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Load;

/// <summary>Everything that writes to a cluster at once: for each channel two writers of messages and one of transactions, and one that broadcasts. Each sends one request at a time.</summary>
public sealed class ClusterLoad : IAsyncDisposable
{
    private readonly CancellationTokenSource _finish = new();
    private readonly CancellationTokenSource _abort;
    private readonly IReadOnlyList<Task> _each;
    private readonly Task _writers;
    private readonly LocalCluster _cluster;

    private ClusterLoad(LocalCluster cluster, string name, int seed, CancellationToken cancellationToken)
    {
        _cluster = cluster;
        _abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var leaders = new LeaderClient(cluster.Client);
        var writers = new List<Func<Task>>();
        foreach (var channel in cluster.Channels)
        {
            for (var i = 1; i <= 2; i++)
            {
                var messages = new MessageWriter(leaders, Recorder, Pace(), channel, Name($"{channel}.m{i}"));
                writers.Add(() => messages.RunAsync(_finish.Token, _abort.Token));
            }

            var transactions = new TransactionWriter(leaders, Recorder, Pace(), channel, Name($"{channel}.t"));
            writers.Add(() => transactions.RunAsync(_finish.Token, _abort.Token));
        }

        var broadcasts = new BroadcastWriter(cluster, Recorder, Pace(), Name("b"));
        writers.Add(() => broadcasts.RunAsync(_finish.Token, _abort.Token));
        _each = [.. writers.Select(Task.Run)];
        _writers = Task.WhenAll(_each);

        LoadPace Pace() => new(unchecked((seed * 31) + writers.Count));
        string Name(string writer) => string.Create(CultureInfo.InvariantCulture, $"{name}.{writer}");
    }

    /// <summary>What the writers know.</summary>
    public Recorder Recorder { get; } = new();

    /// <summary>Completes when every writer has ended by itself, since the cluster refuses their writes.</summary>
    public Task Refused => _writers;

    /// <summary>Starts the writers.</summary>
    /// <param name="cluster">What they write to.</param>
    /// <param name="name">A name that no other load on these logs has: it is in every message.</param>
    /// <param name="seed">What they draw from.</param>
    /// <param name="cancellationToken">Ends them too.</param>
    public static ClusterLoad Start(LocalCluster cluster, string name, int seed, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return new ClusterLoad(cluster, name, seed, cancellationToken);
    }

    /// <summary>Waits until on every channel so many messages and one transaction have been acknowledged, and one broadcast taken on.</summary>
    public Task WaitForAsync(int messages, TimeSpan timeout, CancellationToken cancellationToken) => ClusterClient.UntilAsync(
        $"the load on {_cluster.ClusterId} has had {messages} messages and a transaction acknowledged on every channel, and a broadcast",
        () => _each.FirstOrDefault(w => w.IsFaulted) is { } failed ? throw new InvalidOperationException($"A writer failed: {failed.Exception!.GetBaseException().Message}", failed.Exception) : Task.FromResult(
            Recorder.Broadcasts.Count > 0
            && _cluster.Channels.All(c => Recorder.Messages.Count(m => m.Channel == c && m.Written == Written.Surely) >= messages
                && Recorder.Transactions.Any(t => t.Channel == c && t.Written == Written.Surely))),
        timeout,
        cancellationToken);

    /// <summary>Lets the writers finish what they have under way, so that the cluster is at rest afterwards.</summary>
    public async Task FinishAsync(TimeSpan timeout)
    {
        await _finish.CancelAsync();
        await _writers.WaitAsync(timeout);
    }

    /// <summary>Stops the writers where they are; what they have under way is then only perhaps written.</summary>
    public async Task AbortAsync()
    {
        await _abort.CancelAsync();
        await _writers;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await AbortAsync();
        _finish.Dispose();
        _abort.Dispose();
    }
}
