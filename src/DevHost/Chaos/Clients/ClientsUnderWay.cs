using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Clients;

/// <summary>The running clients of one load: starts them, waits for their progress, ends them.</summary>
internal sealed class ClientsUnderWay(CancellationToken cancellationToken) : IAsyncDisposable
{
    private readonly CancellationTokenSource _finish = new();
    private readonly CancellationTokenSource _abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    private readonly List<(string Id, Task Running)> _clients = [];

    /// <summary>Starts one; it is given what tells it to begin nothing more, and what ends it at once.</summary>
    public void Start(string id, Func<CancellationToken, CancellationToken, Task> runAsync) => _clients.Add((id, Task.Run(() => runAsync(_finish.Token, _abort.Token), CancellationToken.None)));

    /// <summary>Waits until every client has had so many more requests acknowledged than it has now.</summary>
    /// <exception cref="TimeoutException">They have not within <paramref name="timeout"/>; the message holds the first error that a client saw.</exception>
    public async Task MoreAsync(int requests, Acknowledgements acknowledgements, SendCounts counts, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var before = acknowledgements.Counts;
        try
        {
            await ClusterClient.UntilAsync(
                $"every client has had {requests} more requests acknowledged",
                () =>
                {
                    var now = acknowledgements.Counts;
                    return Task.FromResult(_clients.TrueForAll(c => now.GetValueOrDefault(c.Id) >= before.GetValueOrDefault(c.Id) + requests));
                },
                timeout,
                cancellationToken);
        }
        catch (TimeoutException e)
        {
            var now = acknowledgements.Counts;
            var stuck = _clients.Where(c => now.GetValueOrDefault(c.Id) < before.GetValueOrDefault(c.Id) + requests).Select(c => c.Id);
            throw new TimeoutException($"{e.Message} Not so {string.Join(", ", stuck)}. {counts.Errors.Count} client errors, the first: {counts.Errors.FirstOrDefault() ?? "none"}", e);
        }
    }

    /// <summary>Lets the clients finish what they have under way.</summary>
    public async Task FinishAsync(TimeSpan timeout)
    {
        await _finish.CancelAsync();
        await Task.WhenAll(_clients.Select(c => c.Running)).WaitAsync(timeout);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _finish.CancelAsync();
        await _abort.CancelAsync();
        await Task.WhenAll(_clients.Select(c => c.Running));
        _finish.Dispose();
        _abort.Dispose();
    }
}
