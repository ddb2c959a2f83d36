using System.Collections.Concurrent;
using Baton.Core.Operations;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Rounds;

/// <summary>Looks at an operation from before it begins until told to stop: it may be not there yet, then running, then succeeded, and never anything else or the reverse. A control plane that is away says nothing.</summary>
public sealed class OperationWatch : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private readonly CancellationTokenSource _stop;
    private readonly ConcurrentQueue<string> _findings = new();
    private readonly TaskCompletionSource<Operation> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _watch;

    private OperationWatch(ClusterClient client, string operationId, CancellationTokenSource stop)
    {
        _stop = stop;
        _watch = Task.Run(() => WatchAsync(client, operationId));
    }

    /// <summary>How often it was seen running.</summary>
    public int SeenRunning { get; private set; }

    /// <summary>The last that was seen of it.</summary>
    public Operation? Last { get; private set; }

    /// <summary>Completes when it was first seen ended.</summary>
    public Task<Operation> Ended => _ended.Task;

    /// <summary>What was not as it must be.</summary>
    public IReadOnlyCollection<string> Findings => _findings;

    /// <summary>Starts looking.</summary>
    public static OperationWatch Start(ClusterClient client, string operationId, CancellationToken cancellationToken) =>
        new(client, operationId, CancellationTokenSource.CreateLinkedTokenSource(cancellationToken));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watch;
        _stop.Dispose();
    }

    private async Task WatchAsync(ClusterClient client, string operationId)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(Pause, _stop.Token);
                var answer = await client.OperationAsync(operationId, _stop.Token);
                if (answer.Body is { } operation)
                {
                    See(operation);
                }
                else if (answer.Status == 404 && Last is not null)
                {
                    _findings.Enqueue($"operation {operationId} was {Last.Status} and is not there any more");
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
            {
                // The control plane is away, or the watch is over.
            }
        }
    }

    private void See(Operation operation)
    {
        if (operation.Status is not (OperationStatus.Running or OperationStatus.Succeeded))
        {
            _findings.Enqueue($"operation {operation.Id} was seen {operation.Status}: {operation.Error?.Detail}");
        }

        if (operation.Status == OperationStatus.Running && Last is { Status: not OperationStatus.Running })
        {
            _findings.Enqueue($"operation {operation.Id} was {Last.Status} and runs again");
        }

        Last = operation;
        if (operation.Status == OperationStatus.Running)
        {
            SeenRunning++;
        }
        else
        {
            _ended.TrySetResult(operation);
        }
    }
}
