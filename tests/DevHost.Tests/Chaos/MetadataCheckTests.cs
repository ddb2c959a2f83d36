using Baton.Core.Api;
using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Load;
using Baton.DevHost.Chaos.Metadata;

namespace Baton.DevHost.Tests.Chaos;

/// <summary>The checks of the catalogue on doctored logs and copies: each kind of damage is found, and a sound one has none.</summary>
public sealed class MetadataCheckTests
{
    private static readonly MetadataCommand[] Commands =
    [
        new CreateTopic("t", 2, 1, new Dictionary<string, string>(StringComparer.Ordinal) { [CommandMarks.Setting] = "1" }),
        new CreateConsumerGroup("g"),
        new CommitOffset("g", "t", 0, 7, "g:3"),
        new CommitOffset("g", "t", 0, 8, "g:4"),
    ];

    private static readonly RecordedCommands[] Sent = [new([Commands[0]], Written.Surely, 10), new([Commands[1], Commands[2]], Written.Surely, 11), new([Commands[3]], Written.Surely, 14)];

    private static readonly (long Lsn, MetadataCommand Command)[] Log =
    [
        (10, Commands[0]), (11, Commands[1]), (12, Commands[2]), (13, new AssignPartition("t", 0, "t-0", ["n"], "n", 1)), (14, Commands[3]),
    ];

    [Fact]
    public void A_sound_log_has_nothing_wrong() => Assert.Empty(MetadataLogCheck.Check(Sent, Log));

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(4)]
    public void An_acknowledged_command_that_is_not_in_the_log_is_found(int lost) => Assert.NotEmpty(MetadataLogCheck.Check(Sent, [.. Log.Where((_, i) => i != lost)]));

    [Fact]
    public void A_command_that_is_in_the_log_twice_is_found() => Assert.Contains("2 times", Assert.Single(MetadataLogCheck.Check(Sent, [.. Log, (15, Commands[2])])), StringComparison.Ordinal);

    [Fact]
    public void A_command_elsewhere_than_it_was_acknowledged_is_found() => Assert.NotEmpty(MetadataLogCheck.Check([new([Commands[0]], Written.Surely, 9)], Log));

    [Fact]
    public void Half_a_request_without_an_answer_is_found_and_all_or_nothing_of_it_is_not()
    {
        RecordedCommands[] sent = [new([Commands[1], Commands[2]], Written.Perhaps)];

        Assert.Empty(MetadataLogCheck.Check(sent, Log));
        Assert.Empty(MetadataLogCheck.Check(sent, []));
        Assert.NotEmpty(MetadataLogCheck.Check(sent, [Log[1]]));
        Assert.NotEmpty(MetadataLogCheck.Check(sent, [Log[2]]));
    }

    [Fact]
    public void A_sound_copy_has_nothing_wrong() => Assert.Empty(MetadataStateCheck.Check(Sent, [Topic()], [Group("g:4")]));

    [Fact]
    public void A_topic_that_is_lost_another_or_of_another_size_is_found()
    {
        Assert.NotEmpty(MetadataStateCheck.Check(Sent, [], [Group("g:4")]));
        Assert.NotEmpty(MetadataStateCheck.Check(Sent, [Topic() with { TopicId = 12 }], [Group("g:4")]));
        Assert.NotEmpty(MetadataStateCheck.Check(Sent, [Topic() with { Partitions = [Topic().Partitions[0]] }], [Group("g:4")]));
        Assert.NotEmpty(MetadataStateCheck.Check(Sent, [Topic() with { Partitions = [Topic().Partitions[0], Topic().Partitions[0]] }], [Group("g:4")]));
    }

    [Fact]
    public void A_deleted_topic_or_group_that_is_there_is_found()
    {
        RecordedCommands[] deleted = [.. Sent, new([new DeleteTopic("t", 10)], Written.Surely, 15), new([new DeleteConsumerGroup("g")], Written.Surely, 16)];

        Assert.Empty(MetadataStateCheck.Check(deleted, [], []));
        Assert.NotEmpty(MetadataStateCheck.Check(deleted, [Topic()], []));
        Assert.NotEmpty(MetadataStateCheck.Check(deleted, [], [Group("g:4")]));
    }

    [Fact]
    public void An_offset_that_was_overtaken_or_is_lost_is_found()
    {
        Assert.NotEmpty(MetadataStateCheck.Check(Sent, [Topic()], [Group("g:3")]));
        Assert.NotEmpty(MetadataStateCheck.Check(Sent, [Topic()], [Group("g:4") with { Offsets = [] }]));
        Assert.NotEmpty(MetadataStateCheck.Check(Sent, [Topic()], []));
    }

    [Fact]
    public void What_a_command_without_an_answer_may_have_changed_is_not_judged() =>
        Assert.Empty(MetadataStateCheck.Check([.. Sent, new([new DeleteTopic("t", 10)], Written.Perhaps)], [], [Group("g:4") with { Offsets = [] }]));

    private static TopicView Topic() => new(
        "t", 10, DateTimeOffset.UnixEpoch, 1, new Dictionary<string, string>(StringComparer.Ordinal) { [CommandMarks.Setting] = "1" }, [new(0, "t-0", "n", 1, ["n"], ["n"], 0), new(1, "t-1", "n", 1, ["n"], ["n"], 0)]);

    private static GroupView Group(string note) => new("g", null, GroupState.Empty, 0, null, [], [new GroupOffsetView("t", 0, 8, note, DateTimeOffset.UnixEpoch)]);
}
