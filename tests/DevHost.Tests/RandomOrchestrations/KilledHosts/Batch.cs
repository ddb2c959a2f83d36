using System.Globalization;
using System.Text.Json;
using Baton.Core.Api;
using Baton.OrchestrationApp.RandomPrograms;

namespace Baton.KilledHosts;

/// <summary>What a batch came to.</summary>
internal sealed class BatchTally
{
    public int Programs { get; set; }

    /// <summary>SIGKILLs to host and handler.</summary>
    public int KillsWithHandler { get; set; }

    /// <summary>SIGKILLs to the host only.</summary>
    public int KillsOfHostOnly { get; set; }

    /// <summary>Of all kills, those before the host was ready.</summary>
    public int KillsDuringStart { get; set; }

    public int Activities { get; set; }

    /// <summary>Of them, those that the model does not have: work that a kill undid and that was done again.</summary>
    public int ActivitiesRepeated { get; set; }

    public int Effects { get; set; }

    /// <summary>Every kill, in words.</summary>
    public List<string> Story { get; } = [];

    public List<string> Mismatches { get; } = [];

    public int Kills => KillsWithHandler + KillsOfHostOnly;
}

/// <summary>Random programs on one hub, whose host is killed at random moments and started again, until all have ended.</summary>
/// <param name="options">What the hosts run.</param>
/// <param name="seed">Makes the programs and the moments.</param>
/// <param name="count">Programs.</param>
/// <param name="kills">Kills; after them a host lives. Programs that end sooner take fewer.</param>
/// <param name="tally">Counts.</param>
internal sealed class Batch(MortalHostOptions options, int seed, int count, int kills, BatchTally tally)
{
    private const int Size = 12;

    // All of it together takes a few seconds; beyond this something hangs.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    private readonly TableEffects _effects = TableEffects.Open(options.ConnectionString, options.HubName);
    private readonly IReadOnlyList<BatchProgram> _programs =
        [.. Enumerable.Range(0, count).Select(i => (seed * 1_000) + i).Select(s => new BatchProgram(s, ProgramGenerator.Generate(s, Size)))];

    /// <summary>Runs it and compares every end with its model.</summary>
    /// <exception cref="TimeoutException">Some program does not end. The message has it.</exception>
    /// <exception cref="InvalidOperationException">A host that nobody killed did not answer.</exception>
    public async Task RunAsync(CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        var client = new BatchClient(_programs, _effects);
        try
        {
            await _effects.PrepareAsync(patience.Token);
#pragma warning disable CA5394 // The moments must be drawn again from their seed.
            var random = new Random(seed);
            for (var life = 0; client.Open.Any(); life++)
            {
                await LiveAsync(client, life < kills ? Death.Draw(random, life) : null, patience.Token);
            }
#pragma warning restore CA5394
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException($"Batch {seed}: not ended within {Patience.TotalSeconds} s:\n{string.Join('\n', client.Open.Select(Describe))}", e);
        }

        foreach (var program in _programs)
        {
            await VerifyAsync(program, ct);
        }
    }

    /// <summary>One host, from its start to its death or the end of the batch.</summary>
    private async Task LiveAsync(BatchClient client, Death? death, CancellationToken ct)
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(ct);
        await using var host = MortalHost.Start(options, gone.Token);
        var work = WorkAsync();
        var fate = death is null ? Task.Delay(Timeout.InfiniteTimeSpan, gone.Token) : FateAsync();
        if (await Task.WhenAny(work, fate) == work)
        {
            await gone.CancelAsync();
            await EndedAsync(work, host);
            return;
        }

        ct.ThrowIfCancellationRequested();
        Count(death!, host, client.Open.Count());
        await (death!.HandlerToo ? host.KillWithHandlerAsync() : host.KillAloneAsync());
        await gone.CancelAsync();

        // Its call to the dead host fails, in whatever way.
        await Task.WhenAny(work);

        async Task WorkAsync() => await client.WorkAsync(await host.Ready, gone.Token);

        async Task FateAsync()
        {
            if (!death.DuringStart)
            {
                await Task.WhenAny(host.Ready);
            }

            await Task.Delay(death.After, gone.Token);
        }
    }

    private static async Task EndedAsync(Task work, MortalHost host)
    {
        try
        {
            await work;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new InvalidOperationException($"A host that was not killed failed. It said last:\n{host.LastLines}", e);
        }
    }

    private void Count(Death death, MortalHost host, int open)
    {
        tally.Story.Add($"{(death.HandlerToo ? "host and handler" : "host")}, {(host.Ready.IsCompletedSuccessfully ? "at work" : "starting")}, {open} programs open");
        tally.KillsWithHandler += death.HandlerToo ? 1 : 0;
        tally.KillsOfHostOnly += death.HandlerToo ? 0 : 1;
        tally.KillsDuringStart += host.Ready.IsCompletedSuccessfully ? 0 : 1;
    }

    private async Task VerifyAsync(BatchProgram program, CancellationToken ct)
    {
        var (expected, end, effects) = (ProgramModel.Expect(program.Plan), program.End!, await _effects.ReadAsync(program.Root, ct));
        var actual = new ActualEnd(end.RuntimeStatus.ToString(), end.SerializedOutput, end.SerializedCustomStatus);
        var differences = ProgramVerdict.Differences(expected, actual, effects, undisturbed: false);
        tally.Programs++;
        tally.Effects += effects.Applied.Count;
        tally.Activities += effects.Runs.Values.Sum();
        tally.ActivitiesRepeated += effects.Runs.Sum(run => Math.Max(0, run.Value - (expected.Tasks.GetValueOrDefault(run.Key)?.Runs ?? run.Value)));
        if (differences.Count > 0)
        {
            tally.Mismatches.Add($"Batch {seed}, {Describe(program)}\n  {string.Join("\n  ", differences)}");
        }
    }

    private static string Describe(BatchProgram program) => string.Create(
        CultureInfo.InvariantCulture, $"program of seed {program.Seed}, size {Size}: {JsonSerializer.Serialize(program.Plan, BatonJson.Options)}");

    /// <summary>How a host dies.</summary>
    /// <param name="HandlerToo">Whether its handler dies with it.</param>
    /// <param name="DuringStart">Whether the time counts from its start, and not from when it is ready.</param>
    /// <param name="After">The time.</param>
    private sealed record Death(bool HandlerToo, bool DuringStart, TimeSpan After)
    {
#pragma warning disable CA5394
        // Each life may be longer than the one before, so that the programs end on however slow a machine.
        public static Death Draw(Random random, int life) => random.Next(5) == 0
            ? new Death(random.Next(2) == 0, DuringStart: true, TimeSpan.FromMilliseconds(random.Next(100, 1_500)))
            : new Death(random.Next(2) == 0, DuringStart: false, TimeSpan.FromMilliseconds(random.Next(10, 800 + (life * 200))));
#pragma warning restore CA5394
    }
}
