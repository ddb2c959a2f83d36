using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

/// <summary>What holds after every step of every series of failures, reports, joins, moves, removals and repairs.</summary>
public sealed class ClusterInvariants
{
    [Fact]
    public void No_channel_is_led_by_a_node_that_has_failed_or_was_removed() => ClusterStories.Always((_, _, _, after) =>
        after.Channels.Values.All(c => c.Leader is null || after.Nodes[c.Leader].IsLive));

    [Fact]
    public void No_channel_is_given_to_a_node_that_is_being_drained_while_another_could_have_it() => ClusterStories.Always((before, step, _, after) =>
        after.Channels.All(c => c.Value.Leader is not { } leader
            || leader == before.Channels[c.Key].Leader
            || after.Nodes[leader].IsCandidate

            // Those that say that they cannot lead are no choice.
            || after.Nodes.All(n => !n.Value.IsCandidate || n.Key == before.Channels[c.Key].Leader || before.Channels[c.Key].Declined?.Contains(n.Key, StringComparer.Ordinal) == true)));

    [Fact]
    public void TRAP5_A_channel_is_offline_only_while_no_node_lives() => ClusterStories.Always((_, _, _, after) =>
        after.Channels.Values.All(c => c.Offline == !after.Nodes.Values.Any(n => n.IsLive)));

    [Fact]
    public void No_term_goes_back_and_a_new_leadership_has_a_term_of_its_own() => ClusterStories.Always((before, _, _, after) => after.Channels.All(c =>
        before.Channels[c.Key] is var was
        && c.Value.Term >= was.Term
        && (c.Value.Leader is null || c.Value.Term > was.Term || (c.Value.Leader == was.Leader && after.Nodes[c.Value.Leader].Incarnation == before.Nodes[c.Value.Leader].Incarnation))));

    [Fact]
    public void Nobody_has_two_copies_of_a_channel_and_none_is_on_a_node_that_the_state_does_not_know() => ClusterStories.Always((_, _, _, after) => after.Channels.Values.All(c =>
        c.Replicas.Select(r => r.NodeId).Append(c.Leader).OfType<string>().ToList() is var owners
        && owners.Distinct(StringComparer.Ordinal).Count() == owners.Count
        && owners.All(after.Nodes.ContainsKey)));

    [Fact]
    public void The_version_rises_by_one_with_every_change_and_stays_without() => ClusterStories.Always((before, _, _, after) =>
        ReferenceEquals(before, after) ? Text(before) == Text(after) : after.Version == before.Version + 1 && Text(before with { Version = after.Version }) != Text(after));

    [Fact]
    public void The_same_input_gives_the_same_state_however_its_entries_are_ordered() => ClusterStories.Always((before, step, at, after) =>
        Text(step.Apply(before with { Nodes = Reversed(before.Nodes), Channels = Reversed(before.Channels) }, at)) == Text(after));

    [Fact]
    public void What_happens_again_has_happened_once() => ClusterStories.Always((before, step, at, after) =>

        // A join is a new start each time; the others say something else of the new state than of the old.
        ReferenceEquals(before, after)
        || step.What.Split(' ')[0] is "join" or "cannot" or "recovered" or "repair" or "rebalance"
        || ReferenceEquals(step.Apply(after, at), after));

    [Fact]
    public void The_state_is_kept_as_json_and_comes_back_the_same() => ClusterStories.Always((_, _, _, after) =>
        JsonSerializer.Serialize(JsonSerializer.Deserialize<ClusterState>(JsonSerializer.Serialize(after, BatonJson.Options), BatonJson.Options), BatonJson.Options) == JsonSerializer.Serialize(after, BatonJson.Options));

    [Fact]
    public void What_a_node_is_told_to_own_is_what_the_state_gives_it() => ClusterStories.Always((_, _, _, after) => after.Nodes.All(n =>
        Assignments.For(after, n.Key).Select(a => (a.Channel, a.Role)).Order().SequenceEqual(after.Channels
            .Where(_ => n.Value.IsLive)
            .SelectMany(c => new[] { (c.Key, Role: c.Value.Leader == n.Key ? Assignments.Leader : c.Value.Replicas.Any(r => r.NodeId == n.Key) ? Assignments.Replica : "") })
            .Where(c => c.Role.Length > 0)
            .Order())
        && Assignments.Answer(after, n.Key, n.Value.Incarnation) is var answer
        && answer.Removed == n.Value.RemovedAt.HasValue
        && answer.MustRejoin == (n.Value is { Failed: true, RemovedAt: null })));

    private static string Text(ClusterState state) => JsonSerializer.Serialize(
        state with { Nodes = Sorted(state.Nodes), Channels = Sorted(state.Channels) }, BatonJson.Options);

    private static SortedDictionary<string, T> Sorted<T>(IReadOnlyDictionary<string, T> entries) => new(entries.ToDictionary(StringComparer.Ordinal), StringComparer.Ordinal);

    private static Dictionary<string, T> Reversed<T>(IReadOnlyDictionary<string, T> entries) => new(entries.Reverse(), StringComparer.Ordinal);
}
