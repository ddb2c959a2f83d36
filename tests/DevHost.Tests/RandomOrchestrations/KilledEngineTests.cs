using System.Globalization;
using Azure;
using Baton.DevHost.Orchestrations;
using Baton.DevHost.Tests.Orchestrations;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>
/// Random programs whose engine dies: for its successor nothing is lost and nothing is done twice. A dead engine is one
/// whose calls to storage all fail from one of them on; what it was about to do in its app it still does, as an orphan would.
/// <c>BATON_TESTS=all</c> tries more programs, and more deaths of each.
/// </summary>
public sealed class KilledEngineTests(AzuriteFixture azurite, ITestOutputHelper output) : IClassFixture<AzuriteFixture>
{
    private static readonly ParallelOptions AtOnce = new() { MaxDegreeOfParallelism = 4 };

    private readonly string _account = azurite.NewAccount();
    private int _hubs;
    private int _deaths;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_program_survives_the_death_of_its_engine_at_any_call_to_storage(bool losesAnswer)
    {
        foreach (var seed in ProgramSeeds.Draw(6))
        {
            var calls = await CallsAsync(seed, size: 3);
            await Parallel.ForEachAsync(Enumerable.Range(0, calls), AtOnce, async (call, _) => await DieAtAsync(seed, size: 3, call, losesAnswer));
            output.WriteLine($"Seed {seed}: every one of {calls} calls.");
        }

        output.WriteLine($"{_deaths} deaths.");
        Assert.True(_deaths > 100, $"Only {_deaths} engines died.");
    }

    [Fact]
    public async Task A_large_program_survives_the_death_of_its_engine_at_some_calls_to_storage()
    {
        foreach (var seed in ProgramSeeds.Draw(Sampled.Count(4, all: 6)))
        {
            var calls = await CallsAsync(seed, size: 20);
            var random = new Random(seed);
            var points = Enumerable.Range(0, Sampled.Count(8, all: 12)).Select(_ => (Call: random.Next(calls), LosesAnswer: random.Next(2) == 0)).ToList();
            await Parallel.ForEachAsync(points, AtOnce, async (point, _) => await DieAtAsync(seed, size: 20, point.Call, point.LosesAnswer));
        }

        output.WriteLine($"{_deaths} deaths.");
    }

    [Fact]
    public async Task A_program_survives_engines_that_die_one_after_the_other()
    {
        await Parallel.ForEachAsync(ProgramSeeds.Draw(Sampled.Count(8, all: 24)), AtOnce, async (seed, _) =>
        {
            await using var hub = NewHub();
            var program = new ProgramUnderTest(seed, size: 12);
            var random = new Random(seed);
            var story = new List<string>();
            for (var death = 0; death < 12; death++)
            {
                var storage = new DyingStorage(random.Next(5, 50), losesAnswer: random.Next(2) == 0);
                if (await RunUntilDeadAsync(hub, program, storage))
                {
                    break;
                }

                story.Add(Fatal(storage));
            }

            await EndAsync(hub, program, $"after deaths at {string.Join(", ", story)}");
        });
        output.WriteLine($"{_deaths} deaths.");
    }

    [Fact]
    public async Task A_program_survives_the_loss_of_calls_and_answers_by_an_engine_that_lives() =>
        await Parallel.ForEachAsync(ProgramSeeds.Draw(Sampled.Count(8, all: 24)), AtOnce, async (seed, _) =>
        {
            await using var hub = NewHub();
            var program = new ProgramUnderTest(seed, size: 12);
            var storage = new LossyStorage(seed, percent: 6);
            OrchestrationEngine? engine = null;
            InstanceStatus? end = null;
            while (end is null)
            {
                try
                {
                    engine ??= await hub.StartEngineAsync(program.App(), storage);
                    end = await program.DriveAsync(engine, CancellationToken.None);
                }
                catch (Exception e) when (IsCut(e))
                {
                    // A client whose call got no answer calls again; so does who starts an engine.
                }
            }

            await EndAsync(hub, program, $"with {storage.Lost} of {storage.Calls} calls lost");
        });

    [Fact]
    public async Task A_program_survives_engines_that_work_on_because_they_do_not_know_of_their_successor() =>
        await Parallel.ForEachAsync(ProgramSeeds.Draw(Sampled.Count(8, all: 24)), AtOnce, async (seed, _) =>
        {
            await using var hub = NewHub();
            var program = new ProgramUnderTest(seed, size: 12);
            var random = new Random(seed);
            for (var life = 0; life < 4; life++)
            {
                // They learn it by a refused write at the earliest: no lease is renewed in this time.
                using var gone = new CancellationTokenSource();
                var mark = new StorageMark(random.Next(10, 50));
                var engine = await hub.StartEngineAsync(program.App(), mark, hub.Options with { LeaseRenewal = TimeSpan.FromSeconds(10) });
                var work = program.DriveAsync(engine, gone.Token);
                if (await Task.WhenAny(work, mark.Reached) == work)
                {
                    await work;
                    break;
                }

                // Its client turns to the next engine.
                await gone.CancelAsync();
                await Task.WhenAny(work);
            }

            await EndAsync(hub, program, "after engines that had lost the hub");
        });

    private async Task DieAtAsync(int seed, int size, int call, bool losesAnswer)
    {
        await using var hub = NewHub();
        var program = new ProgramUnderTest(seed, size);
        var storage = new DyingStorage(call, losesAnswer);
        if (!await RunUntilDeadAsync(hub, program, storage))
        {
            var lost = losesAnswer ? "the answer to" : "the call";
            await EndAsync(hub, program, string.Create(CultureInfo.InvariantCulture, $"after a death that lost {lost} {call}, {Fatal(storage)}"));
        }
    }

    /// <summary>How many calls to storage an engine makes for a program when nothing dies.</summary>
    private async Task<int> CallsAsync(int seed, int size)
    {
        await using var hub = NewHub();
        var program = new ProgramUnderTest(seed, size);
        var storage = new LossyStorage();
        await program.DriveAsync(await hub.StartEngineAsync(program.App(), storage), CancellationToken.None);
        return storage.Calls;
    }

    /// <summary>Works until storage fails: then this engine is left as it is, and nothing of it is stopped in an orderly way.</summary>
    /// <returns>Whether the program ended first.</returns>
    private async Task<bool> RunUntilDeadAsync(EngineHub hub, ProgramUnderTest program, DyingStorage storage)
    {
        using var gone = new CancellationTokenSource();
        var engine = hub.Engine(program.App(), storage.Begin());
        var work = WorkAsync();
        await Task.WhenAny(work, storage.Died);
        if (work.IsCompletedSuccessfully)
        {
            return true;
        }

        // The client may hear of it first: a call beside the fatal one fails at once, the fatal one when its effect is done.
        if (!storage.Died.IsCompleted && work.Exception?.InnerException is { } fault && !IsCut(fault))
        {
            throw new InvalidOperationException(program.Describe("with an engine that was to die", fault.Message), fault);
        }

        Interlocked.Increment(ref _deaths);
        await gone.CancelAsync();
        return false;

        async Task WorkAsync()
        {
            await engine.StartAsync(gone.Token);
            await program.DriveAsync(engine, gone.Token);
        }
    }

    /// <summary>A last engine, that does not die, ends the program.</summary>
    private static async Task EndAsync(EngineHub hub, ProgramUnderTest program, string when)
    {
        var engine = await hub.StartEngineAsync(program.App());
        await program.VerifyAsync(engine, await program.DriveAsync(engine, CancellationToken.None), when, undisturbed: false);
    }

    private EngineHub NewHub() => new(_account)
    {
        Options = new OrchestrationEngineOptions
        {
            HubName = $"Hub{Interlocked.Increment(ref _hubs)}",
            MaxConcurrentActivityFunctions = 4,
            MaxConcurrentOrchestratorFunctions = 4,
        },
    };

    private static string Fatal(DyingStorage storage) => storage.Died.IsCompletedSuccessfully ? storage.Died.Result : "a call that was given up meanwhile";

    private static bool IsCut(Exception e) => e is RequestFailedException || (e is AggregateException all && all.InnerExceptions.All(IsCut));
}
