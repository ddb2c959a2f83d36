using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

/// <summary>
/// A cluster's life in one file: what happens, and beneath it what the rules make of it. The file is read for what happens and compared whole. Where the rules change on purpose,
/// <c>BATON_KEEP_GOLDEN=1</c> writes it anew, for the diff to be read.
/// </summary>
public sealed class FailoverStoryTests
{
    private const string Name = "failover-story.txt";
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly TimeSpan HeartbeatTimeout = TimeSpan.FromSeconds(3);

    private readonly StringBuilder _told = new();
    private ClusterState _state = ClusterState.Empty("b");
    private DateTimeOffset _now = Start;

    [Fact]
    public void The_story_goes_as_it_is_kept()
    {
        var kept = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Cluster", "Golden", Name)).ReplaceLineEndings("\n");
        foreach (var line in kept.Split('\n').Where(l => l.StartsWith('#') || l.StartsWith('>')))
        {
            Tell(line);
        }

        if (string.Equals(Environment.GetEnvironmentVariable("BATON_KEEP_GOLDEN"), "1", StringComparison.Ordinal))
        {
            File.WriteAllText(Source(), _told.ToString());
        }

        Assert.Equal(kept, _told.ToString());
    }

    private static string Source([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "Golden", Name);

    private void Tell(string line)
    {
        if (line.StartsWith('#'))
        {
            _told.Append(_told.Length > 0 && _told.ToString().EndsWith("\n\n", StringComparison.Ordinal) ? "" : _told.Length > 0 ? "\n" : "").Append(line).Append("\n\n");
            return;
        }

        var words = line[1..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var before = _state;
        var said = Do(words);
        _told.Append(line).Append('\n');
        foreach (var saying in words[0] is "wait" or "beat" ? said : said.Concat(Changes(before, _state)))
        {
            _told.Append("  ").Append(saying).Append('\n');
        }
    }

    private IEnumerable<string> Do(string[] words)
    {
        switch (words)
        {
            case ["wait", var seconds]:
                _now = _now.AddSeconds(double.Parse(seconds, CultureInfo.InvariantCulture));
                return [];
            case ["join", var node, var instance, var zone]:
                var joined = ClusterMembership.Join(_state, node, new Uri($"http://{node}"), zone, null, instance);
                _state = joined.State;
                return Refusal(joined.Error);
            case ["create", var channel, var copies]:
                _state = States.With(_state, channel, int.Parse(copies, CultureInfo.InvariantCulture));
                return [];
            case ["suspect", var node, .. var rest]:
                return Report(node, FailureEvidenceKind.Suspicion, rest);
            case ["silent", var node, .. var rest]:
                return Report(node, FailureEvidenceKind.HeartbeatLost, rest);
            case ["leaving", var node, .. var rest]:
                return Report(node, FailureEvidenceKind.Leaving, rest);
            case ["cannot-lead", var node, .. var leaderships]:
                return Plan(new FailureEvidence(node, FailureEvidenceKind.CannotLead, null, [.. leaderships.Chunk(2).Select(l => new ChannelAtTerm(l[0], long.Parse(l[1], CultureInfo.InvariantCulture)))]));
            case ["move", var channel, var node]:
                return Wish(Switchover.Move(_state, channel, node));
            case ["drain", var node]:
                return Wish(Switchover.Drain(_state, node));
            case ["undrain", var node]:
                return Wish(Switchover.Undrain(_state, node));
            case ["remove", var node]:
                return Wish(Switchover.Remove(_state, node, _now));
            case ["repair"]:
                _state = ReplicaSets.Repair(_state, ClusterStories.Beats(_state, "", null, _now), HeartbeatTimeout, _now);
                return [];
            case ["beat", var node, var incarnation]:
                var answer = Assignments.Answer(_state, node, long.Parse(incarnation, CultureInfo.InvariantCulture));
                return [$"answer: {(answer.Removed ? "removed" : answer.MustRejoin ? "join again" : string.Join(", ", answer.Assignments.Select(a => $"{a.Role} of {a.Channel} at term {a.Term}")))}"];
            default:
                throw new FormatException($"'{string.Join(' ', words)}' is nothing that happens.");
        }
    }

    private IEnumerable<string> Report(string node, FailureEvidenceKind kind, string[] incarnation) =>
        Plan(new FailureEvidence(node, kind, incarnation.Length > 0 ? long.Parse(incarnation[0], CultureInfo.InvariantCulture) : null));

    private IEnumerable<string> Plan(FailureEvidence evidence)
    {
        var plan = FailoverPlanner.Plan(_state, evidence, FailoverPlanner.DefaultSuspicionCooldown, _now);
        _state = plan.State;
        return [$"plan: {plan.Outcome}", .. plan.Moves.Select(Text)];
    }

    private IEnumerable<string> Wish(SwitchoverResult result)
    {
        _state = result.State;
        return [.. Refusal(result.Error), .. result.Moves.Select(Text)];
    }

    private static string Text(LeaderMove move) => $"move: {move.Channel} from {move.From ?? "nobody"} to {move.To ?? "nobody"} at term {move.Term}";

    private static IEnumerable<string> Refusal(ApiError? error) => error is null ? [] : [$"refused: {error.Code}: {error.Detail}"];

    private static IEnumerable<string> Changes(ClusterState before, ClusterState after)
    {
        if (ReferenceEquals(before, after))
        {
            return ["nothing written"];
        }

        var nodes = after.Nodes.Keys.Union(before.Nodes.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .Select(n => (Was: Node(before, n), Is: Node(after, n)));
        var channels = after.Channels.OrderBy(c => c.Value.Index).Select(c => (Was: Channel(before, c.Key), Is: Channel(after, c.Key)));
        return [$"version {after.Version}", .. nodes.Concat(channels).Where(l => l.Was != l.Is).Select(l => l.Is)];
    }

    private static string Node(ClusterState state, string id) => state.Nodes.GetValueOrDefault(id) switch
    {
        null => $"node {id}: no row",
        var n => $"node {id}: incarnation {n.Incarnation}, process {n.Instance}{(n.Failed ? ", failed" : "")}{(n.Draining ? ", draining" : "")}{(n.RemovedAt is null ? "" : ", removed")}{(n.LastSuspectedAt is null ? "" : ", suspected")}",
    };

    private static string Channel(ClusterState state, string name) => state.Channels.GetValueOrDefault(name) switch
    {
        null => "",
        var c => $"channel {name}: {c.Leader ?? "offline"} at term {c.Term}{(c.Replicas.Count == 0 ? "" : ", copies:")}{string.Concat(c.Replicas.Select(r => $" {r.NodeId} ({r.Mode} {r.State})"))}{(c.Declined is null ? "" : $", declined by {string.Join(' ', c.Declined)}")}",
    };
}
