using System.Text.Json;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>
/// The same orchestrations on the official JavaScript SDK and on Baton, in both directions: same results, same histories.
/// docs/conformance.md says what is compared and how.
/// </summary>
public sealed class ConformanceTests(Pairings pairings) : IClassFixture<Pairings>
{
    public static TheoryData<string> Names => [.. Scenario.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public Task The_peer_alone_does_what_the_scenario_says(string name) => CheckAsync(name, pairings.Reference);

    [Theory]
    [MemberData(nameof(Names))]
    public Task Batons_worker_behind_its_handler_does_on_the_peers_backend_what_the_peers_worker_does(string name) => CheckAsync(name, pairings.PeerBackend);

    [Theory]
    [MemberData(nameof(Names))]
    public Task Batons_engine_does_with_the_peers_worker_what_the_peers_backend_does(string name) => CheckAsync(name, pairings.PeerWorker);

    [Theory]
    [MemberData(nameof(Names))]
    public Task Batons_engine_with_its_own_worker_does_what_the_peer_alone_does(string name) => CheckAsync(name, pairings.BatonAlone);

    [Fact]
    public void Every_scenario_is_in_the_documentation()
    {
        var page = File.ReadAllText(Path.Combine(Scenario.Folder, "..", "..", "..", "docs", "conformance.md"));

        Assert.All(Scenario.All.Values, scenario => Assert.Contains($"| `{scenario.Name}` | {scenario.Orchestrator} | {scenario.Covers} |", page, StringComparison.Ordinal));
    }

    /// <summary>The comparison can fail: in no scenario, but for the largest, can one event be spoilt without its being seen.</summary>
    [Fact]
    public async Task No_event_can_be_lost_doubled_or_altered_unseen()
    {
        foreach (var scenario in Scenario.All.Values.Where(scenario => scenario.Name != "fan-out-1000"))
        {
            var instances = (await pairings.Reference.ObservedAsync(scenario)).Instances;
            var lines = HistoryText.Of(instances, WorkerKind.Peer);
            foreach (var (how, spoilt) in instances.SelectMany((_, index) => Spoilt(instances, index)))
            {
                Assert.False(lines.SequenceEqual(HistoryText.Of(spoilt, WorkerKind.Peer), StringComparer.Ordinal), $"{scenario.Name}, unseen: {how}");
            }
        }
    }

    private static IEnumerable<(string How, InstanceHistory[] Spoilt)> Spoilt(IReadOnlyList<InstanceHistory> instances, int index)
    {
        var events = instances[index].Events;
        for (var i = 0; i < events.Count; i++)
        {
            var (before, e, after) = (events.Take(i), events[i], events.Skip(i + 1));
            if (e.OrchestratorStarted is null)
            {
                yield return ($"lost {e}", With([.. before, .. after]));
                yield return ($"doubled {e}", With([.. before, e, e, .. after]));
                foreach (var (field, altered) in Alterations.Of(e))
                {
                    yield return ($"altered {field} of {e}", With([.. before, altered, .. after]));
                }
            }
        }

        InstanceHistory[] With(HistoryEvent[] spoilt) => [.. instances.Select((instance, i) => i == index ? instance with { Events = spoilt } : instance)];
    }

    private async Task CheckAsync(string name, Pairing pairing)
    {
        var scenario = Scenario.All[name];
        var observed = await pairing.ObservedAsync(scenario);
        var lines = HistoryText.Of(observed.Instances, pairing.Worker);
        Differences.Check(await ExpectedAsync(scenario, pairing.Worker), lines);
        Assert.Equal(scenario.Status, observed.Status);
        Assert.Equal(Text(scenario.CustomStatus), PayloadText.Canonical(observed.CustomStatus));
        if (scenario.Failure is { } failure)
        {
            Assert.Equal(failure, FailureText.Chain(observed.Instances[0].Events.Single(e => e.ExecutionCompleted is not null).ExecutionCompleted.FailureDetails, pairing.Worker.FirstId));
        }
        else if (scenario.Output.ValueKind != JsonValueKind.Undefined)
        {
            Assert.Equal(Text(scenario.Output), PayloadText.Canonical(observed.Output));
        }
    }

    private async Task<string[]> ExpectedAsync(Scenario scenario, WorkerKind worker) => scenario.Histories is { } byWorker
        ? byWorker[worker.Name]
        : HistoryText.Of((await pairings.Reference.ObservedAsync(scenario)).Instances, pairings.Reference.Worker);

    private static string Text(JsonElement json) => PayloadText.Canonical(json.ValueKind == JsonValueKind.Undefined ? null : json.GetRawText());
}
