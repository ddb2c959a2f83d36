using Baton.Core.Recovery;
using FsCheck;
using FsCheck.Fluent;
using static Baton.Core.Tests.Recovery.Recoveries;

namespace Baton.Core.Tests.Recovery;

/// <summary>Any intents, late ones among them, epochs that end, and sessions that end well, in any order.</summary>
public sealed class ReplicaRegistryProperties
{
    private static readonly string[] Ids = ["n1", "n2", "n3"];

    private sealed record Drawn(string What, AssignmentIntent Intent)
    {
        public override string ToString() => $"{What} {Json(Intent)}";
    }

    private static readonly Gen<Drawn> Steps =
        from what in Gen.Frequency((6, Gen.Constant("intent")), (1, Gen.Constant("epoch over")), (2, Gen.Constant("a session ends")))
        from epoch in Gen.Choose(1, 6)
        from channel in Gen.Elements(Channel, "ch1")
        from listed in Gen.Elements(true, true, false).ArrayOf(3)
        from versions in Gen.Choose(1, 2).ArrayOf(3)
        from targets in Gen.Elements<SessionKind?>(null, SessionKind.Catchup, SessionKind.Rebuild).ArrayOf(3)
        select new Drawn(what, new AssignmentIntent(
            channel,
            epoch,
            [.. Ids.Where((_, i) => listed[i]).Select(id => new AssignedReplica(id, Endpoint(id, versions[Array.IndexOf(Ids, id)])))],
            Ids.Where((_, i) => targets[i] is not null).ToDictionary(id => id, id => targets[Array.IndexOf(Ids, id)]!.Value, StringComparer.Ordinal)));

    [Fact]
    public void The_same_intent_twice_changes_nothing() => Always((registry, drawn, _) =>
    {
        registry.Apply(drawn.Intent);
        var once = Json(registry.State);
        var again = registry.Apply(drawn.Intent);

        Assert.Equal(once, Json(registry.State));
        Assert.Equal(0, again.Added.Count + again.Removed.Count + again.SessionsCreated.Count + again.SessionsSuperseded.Count);
    });

    [Fact]
    public void Session_ids_only_rise_are_never_given_out_twice_and_belong_to_the_epoch() => Always((registry, _, before) =>
    {
        var now = registry.State;
        var made = Sessions(now).Where(s => Sessions(before).All(b => b.Id != s.Id)).ToList();
        Assert.True(now.LastSessionId >= before.LastSessionId);
        Assert.All(made, s => Assert.InRange(s.Id, before.LastSessionId + 1, now.LastSessionId));
        Assert.Equal(Sessions(now).Count, Sessions(now).Select(s => s.Id).Distinct().Count());
        Assert.All(now.Channels, c => Assert.All(c.Senders, s => Assert.True(s.Epoch == c.Epoch && (!s.HasActiveSession || s.Session!.Epoch == c.Epoch))));
    });

    [Fact]
    public void RM1_A_late_intent_changes_nothing_and_an_epoch_never_falls() => Always((registry, drawn, before) =>
    {
        var epoch = EpochOf(before, drawn.Intent.Channel);
        Assert.True(EpochOf(registry.State, drawn.Intent.Channel) >= epoch);
        if (drawn is { What: "intent" } && drawn.Intent.Epoch < epoch)
        {
            Assert.Equal(Json(before), Json(registry.State));
        }
    });

    [Fact]
    public void A_registry_read_back_from_its_state_does_what_the_registry_does() => Always((registry, drawn, _) =>
    {
        var (other, log) = (registry.State, new RecoveryLog());
        var copy = new ReplicaRegistry(log, Kept(other));

        Assert.Equal(Json(registry.Apply(drawn.Intent)), Json(copy.Apply(drawn.Intent)));
        Assert.Equal(Json(registry.State), Json(copy.State));
    });

    private static void Always(Action<ReplicaRegistry, Drawn, RegistryState> holds) => Prop.ForAll(Steps.ListOf(20).ToArbitrary(), series =>
    {
        var registry = new ReplicaRegistry(new RecoveryLog());
        foreach (var drawn in series)
        {
            var before = registry.State;
            switch (drawn.What)
            {
                case "intent":
                    registry.Apply(drawn.Intent);
                    break;
                case "epoch over":
                    registry.InvalidateEpoch(drawn.Intent.Channel, drawn.Intent.Epoch);
                    break;
                default:
                    foreach (var sender in before.Channels.SelectMany(c => c.Senders).Where(s => s.HasActiveSession).Take(1))
                    {
                        Assert.Null(registry.Settle(Runs.ToTheEnd(Runs.Of(sender), new World(10, 5)))!.Refused);
                        Assert.True(registry.Find(sender.Replica)!.IsInSync);
                    }

                    break;
            }

            holds(registry, drawn, before);
        }

        return true;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));

    private static long EpochOf(RegistryState state, string channel) => state.Channels.FirstOrDefault(c => c.Channel == channel)?.Epoch ?? 0;

    private static List<RecoverySession> Sessions(RegistryState state) => [.. state.Channels.SelectMany(c => c.Senders).Select(s => s.Session).OfType<RecoverySession>()];
}
