namespace Baton.DevHost.Tests.Conformance;

/// <summary>One backend with one worker, and what came of each scenario there.</summary>
internal sealed class Pairing(WorkerKind worker, int scenariosAtOnce, Func<Task<Func<Scenario, Task<Observation>>>> start)
{
    private readonly Lazy<IReadOnlyDictionary<string, Task<Observation>>> _played = new(() => PlayAll(scenariosAtOnce, start));

    /// <summary>Who ran the code.</summary>
    public WorkerKind Worker { get; } = worker;

    /// <summary>What came of a scenario.</summary>
    public Task<Observation> ObservedAsync(Scenario scenario) => _played.Value[scenario.Name];

    /// <summary>Waits until nothing runs any more, however it ends.</summary>
    public async Task DrainAsync()
    {
        if (_played.IsValueCreated)
        {
            await Task.WhenAll(_played.Value.Values).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private static Dictionary<string, Task<Observation>> PlayAll(int atOnce, Func<Task<Func<Scenario, Task<Observation>>>> start)
    {
        var player = start();
        var slots = new SemaphoreSlim(atOnce);
        return Scenario.All.Values.ToDictionary(scenario => scenario.Name, PlayAsync, StringComparer.Ordinal);

        async Task<Observation> PlayAsync(Scenario scenario)
        {
            var play = await player;
            await slots.WaitAsync();
            try
            {
                return await play(scenario);
            }
            finally
            {
                slots.Release();
            }
        }
    }
}
