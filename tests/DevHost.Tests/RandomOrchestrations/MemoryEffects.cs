using System.Collections.Concurrent;
using System.Threading.Channels;
using Baton.OrchestrationApp.RandomPrograms;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>Effects of one program in memory, which outlives the engines that die.</summary>
public sealed class MemoryEffects : IEffects
{
    private readonly ConcurrentDictionary<string, string> _applied = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _runs = new(StringComparer.Ordinal);
    private readonly Channel<Ask> _asks = Channel.CreateUnbounded<Ask>();

    /// <summary>What is asked of the world outside. Who cannot answer puts it back.</summary>
    public Channel<Ask> Asks => _asks;

    public Effects Seen => new(new Dictionary<string, string>(_applied, StringComparer.Ordinal), new Dictionary<string, int>(_runs, StringComparer.Ordinal));

    public Task NoteRunAsync(string root, string key, CancellationToken ct)
    {
        _runs.AddOrUpdate(key, 1, (_, runs) => runs + 1);
        return Task.CompletedTask;
    }

    public Task<int> RunsAsync(string root, string key, CancellationToken ct) => Task.FromResult(_runs[key]);

    public Task<string> ApplyAsync(string root, string key, string value, CancellationToken ct) => Task.FromResult(_applied.GetOrAdd(key, value));

    public Task<bool> IsAppliedAsync(string root, string key, CancellationToken ct) => Task.FromResult(_applied.ContainsKey(key));

    public Task AskAsync(string root, Ask ask, CancellationToken ct)
    {
        _asks.Writer.TryWrite(ask);
        return Task.CompletedTask;
    }
}
