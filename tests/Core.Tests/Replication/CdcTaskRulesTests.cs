using Baton.Core.Api;
using Baton.Core.Replication;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Replication;

/// <summary>Tasks of cluster c1, whose channels are ch1 and ch2; c2's are d1 and d2.</summary>
public sealed class CdcTaskRulesTests
{
    private static readonly ReplicateCluster Two = C2("d1", "d2") with { Token = "of c2" };
    private static readonly ReplicateConfiguration ToTwo = Of([C1("ch1", "ch2"), Two], ("c1", "c2"));
    private static readonly ReplicateConfiguration ToThreeOnly = Of([C1("ch1", "ch2"), Named("c3", "e1", "e2")], ("c1", "c3"));
    private static readonly ReplicateConfiguration Alone = Of([C1("ch1", "ch2")]);
    private static readonly ReplicateConfiguration FromTwo = Of([C1("ch1", "ch2"), Two], ("c2", "c1"));
    private static readonly LeftSource LeftTwo = new("c2", 1000, new Dictionary<string, long>(StringComparer.Ordinal) { ["ch1"] = 50 });
    private static readonly ReplicateDeparture Departure = new("c2", 900, new ReplicateCheckpoint("c1", "ch1", 60, 600));

    private static CdcChange Change(ReplicateConfiguration? before, ReplicateConfiguration after, long broadcastId = 7, long version = 3, LeftSource? left = null) =>
        new("c1", before, after, left, broadcastId, version, new Dictionary<string, long>(StringComparer.Ordinal) { ["ch1"] = 101, ["ch2"] = 102, ["ch3"] = 103 }, DateTimeOffset.UnixEpoch);

    private static IReadOnlyList<CdcTask> Present(CdcTaskState state = CdcTaskState.Running) =>
        [.. CdcTaskRules.Apply([], Change(Alone, ToTwo)).Select(t => t with { State = state })];

    [Fact]
    public void A_source_gets_a_task_for_each_channel_and_target_that_starts_at_the_configuration()
    {
        var tasks = CdcTaskRules.Apply([], Change(null, ToTwo));

        Assert.Equal(
            [
                new CdcTask("ch1", "c2", "d1", Two.Uri!, "of c2", 7, 101, 101, 3, CdcTaskState.Running, DateTimeOffset.UnixEpoch),
                new CdcTask("ch2", "c2", "d2", Two.Uri!, "of c2", 7, 102, 102, 3, CdcTaskState.Running, DateTimeOffset.UnixEpoch),
            ],
            tasks);
    }

    [Fact]
    public void The_same_configuration_again_makes_the_same_tasks() =>
        Assert.Empty(CdcTaskRules.Apply(Present(), Change(Alone, ToTwo)));

    [Fact]
    public void Tasks_that_a_callback_left_behind_belong_to_the_version_that_it_reaches_in_the_end() =>
        Assert.All(CdcTaskRules.Apply(Present(), Change(Alone, ToTwo, version: 5)), t => Assert.Equal((5, 7), (t.Version, t.BroadcastId)));

    [Fact]
    public void A_cluster_that_is_no_source_has_no_tasks()
    {
        Assert.Empty(CdcTaskRules.Apply([], Change(null, FromTwo)));
        Assert.Empty(CdcTaskRules.Apply([], Change(FromTwo, Alone)));
        Assert.Empty(CdcTaskRules.Apply([], Change(ToTwo, Of([Two, Named("c3", "e1", "e2")], ("c2", "c3")))));
    }

    [Fact]
    public void A_running_task_whose_direction_stays_is_left_alone_and_growth_adds_the_new_channel()
    {
        var grown = Of([C1("ch1", "ch2", "ch3"), Two with { PChannels = ["d1", "d2", "d3"] }], ("c1", "c2"));

        var task = Assert.Single(CdcTaskRules.Apply(Present(), Change(ToTwo, grown, broadcastId: 8)));

        Assert.Equal(("ch3", "d3", 103, 8), (task.Channel, task.TargetChannel, task.StartLsn, task.BroadcastId));
    }

    [Theory]
    [InlineData(CdcTaskState.Ended)]
    [InlineData(CdcTaskState.Superseded)]
    public void A_task_that_is_over_is_replaced(CdcTaskState state)
    {
        var tasks = CdcTaskRules.Apply(Present(state), Change(Alone, ToTwo, broadcastId: 8));

        Assert.Equal(2, tasks.Count);
        Assert.All(tasks, t => Assert.Equal((CdcTaskState.Running, 8), (t.State, t.BroadcastId)));
    }

    [Fact]
    public void A_running_task_whose_direction_was_dropped_and_comes_back_is_replaced_since_the_old_one_would_yet_end_it() =>
        Assert.All(CdcTaskRules.Apply(Present(), Change(Alone, ToTwo, broadcastId: 8)), t => Assert.Equal(8, t.BroadcastId));

    [Fact]
    public void A_dropped_target_has_yet_to_be_told_but_a_promoted_one_is_done_with()
    {
        Assert.Empty(CdcTaskRules.Apply(Present(), Change(ToTwo, Alone, broadcastId: 8)));
        Assert.Empty(CdcTaskRules.Apply(Present(), Change(ToTwo, FromTwo, broadcastId: 8)));
        Assert.All(CdcTaskRules.Apply(Present(CdcTaskState.Superseded), Change(ToTwo, FromTwo, broadcastId: 8)), t => Assert.Equal((CdcTaskState.Ended, 7), (t.State, t.BroadcastId)));
    }

    [Fact]
    public void The_source_that_was_left_gets_everything_since_and_of_a_younger_channel_all()
    {
        var tasks = CdcTaskRules.Apply([], Change(Alone, ToTwo, left: LeftTwo));

        Assert.Equal([("ch1", 51L, 101L), ("ch2", 1L, 102L)], tasks.Select(t => (t.Channel, t.StartLsn, t.ConfigLsn)));
    }

    [Fact]
    public void Any_other_target_starts_at_the_configuration() =>
        Assert.Equal([101L, 102L], CdcTaskRules.Apply([], Change(Alone, ToThreeOnly, left: LeftTwo)).Select(t => t.StartLsn));

    [Fact]
    public void Where_it_was_left_is_forgotten_once_it_is_attached_again_or_this_cluster_turns_secondary()
    {
        Assert.Null(CdcTaskRules.LeftAfter(Change(Alone, ToTwo, left: LeftTwo))!.ForcedLsns);
        Assert.Null(CdcTaskRules.LeftAfter(Change(Alone, FromTwo, left: LeftTwo))!.ForcedLsns);
        Assert.Equal(1000, CdcTaskRules.LeftAfter(Change(Alone, FromTwo, left: LeftTwo))!.TakenTimeTick);
        Assert.Same(LeftTwo, CdcTaskRules.LeftAfter(Change(Alone, ToThreeOnly, left: LeftTwo)));
        Assert.Null(CdcTaskRules.LeftAfter(Change(Alone, ToTwo)));
    }

    [Fact]
    public void A_report_of_another_task_is_late() =>
        Assert.Equal(ApiErrorCode.Conflict, CdcTaskRules.Check(Present()[0], "c1", new CdcReport(6, Ended: true))?.Code);

    [Fact]
    public void A_departure_is_believed_of_the_target_about_this_channel_alone()
    {
        var task = Present()[0];
        CdcReport Of(ReplicateDeparture departure) => new(7, Departure: departure);

        Assert.Null(CdcTaskRules.Check(task, "c1", Of(Departure)));
        Assert.All(
            new[]
            {
                Departure with { By = "c3" },
                Departure with { From = Departure.From with { ClusterId = "c3" } },
                Departure with { From = Departure.From with { Channel = "ch2" } },
                Departure with { From = null! },
                Departure with { BroadcastId = 0 },
            },
            d => Assert.Equal(ApiErrorCode.InvalidArgument, CdcTaskRules.Check(task, "c1", Of(d))?.Code));
    }

    [Fact]
    public void A_report_says_one_thing_and_its_list_is_in_order()
    {
        var task = Present()[0];
        ApiErrorCode? Check(CdcReport report) => CdcTaskRules.Check(task, "c1", report)?.Code;

        Assert.Null(Check(new CdcReport(7, Ended: true)));
        Assert.Equal(ApiErrorCode.InvalidArgument, Check(new CdcReport(7)));
        Assert.Equal(ApiErrorCode.InvalidArgument, Check(new CdcReport(7, Ended: true, Departure)));
        Assert.Null(Check(new CdcReport(7, Departure: Departure, Salvage: new SalvageList(70, 3, [new(61, 62, 2), new(64, 64, 1)]))));
        Assert.Equal(ApiErrorCode.InvalidArgument, Check(new CdcReport(7, Departure: Departure, Salvage: new SalvageList(70, 3, [new(64, 64, 1), new(61, 62, 2)]))));
        Assert.Equal(ApiErrorCode.InvalidArgument, Check(new CdcReport(7, Departure: Departure, Salvage: new SalvageList(70, 3, null!))));
    }

    [Fact]
    public void An_ended_task_stays_ended()
    {
        var ended = CdcTaskRules.Report(Present()[0], new CdcReport(7, Ended: true));

        Assert.Equal(CdcTaskState.Ended, ended.State);
        Assert.Same(ended, CdcTaskRules.Report(ended, new CdcReport(7, Ended: true)));
        Assert.Same(ended, CdcTaskRules.Report(ended, new CdcReport(7, Departure: Departure)));
    }

    [Fact]
    public void Salvage_goes_forward_and_a_repeat_changes_nothing()
    {
        static CdcReport Through(long lsn, long count = 2) => new(7, Departure: Departure, Salvage: new SalvageList(lsn, count, [new(61, 62, count)]));

        var superseded = CdcTaskRules.Report(Present()[0], new CdcReport(7, Departure: Departure));
        Assert.Equal((CdcTaskState.Superseded, Departure, null), (superseded.State, superseded.Departure, superseded.Salvage));

        var known = CdcTaskRules.Report(superseded, Through(70));
        Assert.Equal(70, known.Salvage!.ThroughLsn);
        Assert.Same(known, CdcTaskRules.Report(known, Through(70)));
        Assert.Same(known, CdcTaskRules.Report(known, Through(69, 5)));
        Assert.Same(known, CdcTaskRules.Report(known, new CdcReport(7, Departure: Departure)));
        Assert.Same(known, CdcTaskRules.Report(known, Through(80) with { Departure = Departure with { BroadcastId = 901 } }));
        Assert.Equal(1, CdcTaskRules.Report(known, Through(70, 1)).Salvage!.Count);
        Assert.Equal(80, CdcTaskRules.Report(known, Through(80)).Salvage!.ThroughLsn);
    }
}
