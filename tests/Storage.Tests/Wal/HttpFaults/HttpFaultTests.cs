using System.Globalization;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.Storage.Tests.Wal.HttpFaults;

/// <summary>
/// Each way in which an HTTP call can fail, at each call of a log's life: every record is in the log exactly once, in order, and readers and openers agree.
/// Failing three times in a row begins at every third call only, so that every call is still among those that fail; with <c>BATON_TESTS=all</c> at every one.
/// </summary>
public sealed class HttpFaultTests(StorageFixture azurite, ITestOutputHelper output) : IClassFixture<StorageFixture>
{
    private const int AtOnce = 4;
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    public static TheoryData<HttpFault> Faults => [.. HttpFaultKinds.Quick];

    [Theory]
    [MemberData(nameof(Faults))]
    public Task Whichever_call_fails_each_record_is_there_once(HttpFault fault) => AtEveryCallAsync(fault, Long);

    [Fact]
    public Task Whichever_call_hangs_until_its_timeout_each_record_is_there_once() => AtEveryCallAsync(HttpFault.Hangs, TimeSpan.FromMilliseconds(200));

    [Fact]
    public async Task Whatever_fails_at_random_each_record_is_there_once()
    {
        var runs = Sampled.Count(15, all: 100);
        var seed = int.TryParse(Environment.GetEnvironmentVariable("BATON_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next(1_000_000);
        var faults = 0;
        await ManyAsync(Enumerable.Range(seed, runs), run => $"seed {run}", async (scenario, run) =>
        {
#pragma warning disable CA5394 // The faults must be drawn again from their seed.
            var random = new Random(run);
            await scenario.RunAsync(
                request =>
                {
                    if (random.Next(5) != 0 || HttpFaultKinds.Quick[random.Next(HttpFaultKinds.Quick.Count)] is var fault && !fault.Concerns(request))
                    {
                        return null;
                    }

                    Interlocked.Increment(ref faults);
                    return fault;
                },
                Long);
#pragma warning restore CA5394
        });
        output.WriteLine($"Seeds {seed} to {seed + runs - 1}: {faults} faults.");
        Assert.True(faults > runs, $"Only {faults} faults.");
    }

    private async Task AtEveryCallAsync(HttpFault fault, TimeSpan networkTimeout)
    {
        var calls = 0;
        await ManyAsync([0], _ => "without a fault", (scenario, _) => scenario.RunAsync(
            request =>
            {
                calls += fault.Concerns(request) ? 1 : 0;
                return null;
            },
            Long));
        Assert.InRange(calls, fault switch { HttpFault.BodyShortened => 5, HttpFault.BodyCut => 9, _ => 10 }, 100);
        var each = Enumerable.Range(1, calls).ToList();
        var places = each.Select(nth => (Nth: nth, Times: 1)).Concat(Sampled.Every(3, each).Select(nth => (Nth: nth, Times: 3))).ToList();
        await ManyAsync(places, place => $"{fault} at call {place.Nth}, {place.Times} times", (scenario, place) =>
        {
            var seen = 0;
            return scenario.RunAsync(request => fault.Concerns(request) && ++seen >= place.Nth && seen < place.Nth + place.Times ? fault : null, networkTimeout);
        });
        output.WriteLine($"{fault}: {places.Count} lives of a log, {calls} places.");
    }

    private async Task ManyAsync<T>(IEnumerable<T> cases, Func<T, string> name, Func<FaultyScenario, T, Task> run)
    {
        var scenario = new FaultyScenario(azurite, await azurite.NewWalAsync());
        await Parallel.ForEachAsync(cases, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (one, _) =>
        {
            try
            {
                await run(scenario, one);
            }
            catch (Exception failure)
            {
                throw new InvalidOperationException($"{name(one)}: {failure.Message}", failure);
            }
        });
    }
}
