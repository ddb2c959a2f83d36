using Baton.Durable;
using Baton.OrchestrationApp.RandomPrograms;

namespace Baton.KilledHosts;

/// <summary>A random program that runs in a host.</summary>
/// <param name="Seed">Makes the plan.</param>
/// <param name="Plan">What it does.</param>
internal sealed record BatchProgram(int Seed, Plan Plan)
{
    /// <summary>Its instance.</summary>
    public string Root { get; } = $"program{Seed}";

    /// <summary>How it ended; null while it has not.</summary>
    public OrchestrationMetadata? End { get; set; }
}

/// <summary>The client of a batch: it starts the programs, answers what they ask, and sees them end, over any number of hosts.</summary>
internal sealed class BatchClient(IReadOnlyList<BatchProgram> programs, TableEffects effects)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly HashSet<BatchProgram> _started = [];
    private readonly HashSet<Ask> _answered = [];

    /// <summary>Programs that have not ended.</summary>
    public IEnumerable<BatchProgram> Open => programs.Where(program => program.End is null);

    /// <summary>Works until all have ended, or this host does not answer any more.</summary>
    public async Task WorkAsync(Uri host, CancellationToken gone)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        var client = new HttpDurableTaskClient(http, new Uri(host, "runtime/webhooks/durabletask"), $"code={MortalHost.SystemKey}");
        foreach (var program in programs.Where(program => !_started.Contains(program)))
        {
            await StartAsync(client, program, gone);
            _started.Add(program);
        }

        while (Open.Any())
        {
            await AnswerAsync(client, gone);
            foreach (var program in Open.ToList())
            {
                var instance = await client.GetInstanceAsync(program.Root, getInputsAndOutputs: true, gone);
                program.End = instance is { IsCompleted: true } ? instance : null;
            }

            await Task.Delay(Pause, gone);
        }
    }

    // A start whose host died may have been one: the row is there, and this host has taken it up.
    private static async Task StartAsync(HttpDurableTaskClient client, BatchProgram program, CancellationToken gone)
    {
        if (await client.GetInstanceAsync(program.Root, getInputsAndOutputs: false, gone) is null)
        {
            await client.ScheduleNewOrchestrationInstanceAsync(
                ProgramOrchestrator.Name, new ProgramInput(program.Plan, program.Root), new StartOrchestrationOptions(program.Root), gone);
        }
    }

    private async Task AnswerAsync(HttpDurableTaskClient client, CancellationToken gone)
    {
        foreach (var ask in (await effects.AsksAsync(gone)).Where(ask => !_answered.Contains(ask)))
        {
            try
            {
                await client.RaiseEventAsync(ask.InstanceId, ask.EventName, ask.Payload, gone);
            }
            catch (DurableTaskClientException e) when (e.StatusCode == System.Net.HttpStatusCode.Gone)
            {
                // Raised before, by a call that got no answer.
            }

            _answered.Add(ask);
        }
    }
}
