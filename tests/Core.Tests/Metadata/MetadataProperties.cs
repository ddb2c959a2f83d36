using Baton.Core.Api;
using Baton.Core.Metadata;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Metadata;

/// <summary>For every series of commands about a few names.</summary>
public sealed class MetadataProperties
{
    private static readonly Gen<MetadataCommand[]> Series = RandomCommands.Series;

    [Fact]
    public void Accepted_commands_applied_in_one_go_or_in_two_halves_through_a_snapshot_give_one_state() => Check(
        from series in Series from cut in Gen.Choose(0, 80) select (Accepted(series), cut),
        ((MetadataCommand[] Commands, int Cut) s) =>
        {
            var half = MetadataSnapshot.TryDecode(MetadataSnapshot.Encode(Catalogue.Of(s.Commands.Take(s.Cut))), out _)!;
            return Same(Catalogue.Of(s.Commands), half.With(s.Commands.Skip(s.Cut)));
        });

    [Fact]
    public void Any_commands_do_as_well_and_each_refused_one_moves_the_LSN_only() => Check(
        from series in Series from cut in Gen.Choose(0, 80) select (series, cut),
        ((MetadataCommand[] Commands, int Cut) s) =>
        {
            var state = MetadataState.Empty;
            foreach (var command in s.Commands)
            {
                var next = state.With(command);
                if (MetadataRules.Check(state, command) is not null && !Same(next, state.Skip(next.LastLsn)))
                {
                    return false;
                }

                state = next;
            }

            return Same(state, MetadataSnapshot.TryDecode(MetadataSnapshot.Encode(Catalogue.Of(s.Commands.Take(s.Cut))), out _)!.With(s.Commands.Skip(s.Cut)));
        });

    [Fact]
    public void Records_that_come_again_whenever_and_how_often_change_nothing() => Check(
        from series in Series from repeats in Gen.Choose(0, 79).ListOf() from times in Gen.Choose(1, 80).ListOf(repeats.Count) select (series, repeats.Zip(times).ToArray()),
        ((MetadataCommand[] Commands, (int Repeat, int After)[] Repeats) s) =>
        {
            var state = MetadataState.Empty;
            foreach (var command in s.Commands)
            {
                state = state.With(command);
                foreach (var (repeat, _) in s.Repeats.Where(r => r.After == state.LastLsn && r.Repeat < state.LastLsn))
                {
                    if (!ReferenceEquals(state, state.Apply(repeat + 1, Catalogue.At(0), s.Commands[repeat])) || !ReferenceEquals(state, state.Skip(repeat + 1)))
                    {
                        return false;
                    }
                }
            }

            var twice = s.Commands.Select((c, i) => (Lsn: i + 1L, Command: c)).Aggregate(state, (at, c) => at.Apply(c.Lsn, Catalogue.At(c.Lsn), c.Command));
            return ReferenceEquals(twice, state) && Same(state, Catalogue.Of(s.Commands));
        });

    [Fact]
    public void The_live_state_is_the_replay_of_what_was_written() => Check(Series, commands =>
    {
        var (live, log) = (MetadataState.Empty, new List<byte[]?>());
        foreach (var command in commands)
        {
            if (MetadataRules.Check(live, command) is not null)
            {
                // What is refused is not written; a time tick is there instead.
                log.Add(null);
                live = live.Skip(log.Count);
                continue;
            }

            log.Add(MetadataCodec.Encode(command));
            live = live.Apply(log.Count, Catalogue.At(log.Count), command);
        }

        var replayed = log.Select((payload, i) => (payload, Lsn: i + 1L)).Aggregate(
            MetadataState.Empty, (s, r) => r.payload is null ? s.Skip(r.Lsn) : s.Apply(r.Lsn, Catalogue.At(r.Lsn).ToOffset(TimeSpan.FromHours(3)), MetadataCodec.Decode(r.payload)));
        return Same(live, replayed);
    });

    [Fact]
    public void A_batch_is_accepted_when_each_of_it_is_on_what_those_before_it_lead_to() => Check(
        from before in Series from batch in RandomCommands.Any.ListOf() select (before, batch.ToArray()),
        ((MetadataCommand[] Before, MetadataCommand[] Batch) s) =>
        {
            var state = Catalogue.Of(s.Before);
            var problem = MetadataRules.CheckAll(state, Catalogue.At(0), s.Batch, out var after);
            var (one, first) = (state, -1);
            for (var i = 0; i < s.Batch.Length && first < 0; i++)
            {
                first = MetadataRules.Check(one, s.Batch[i]) is null ? -1 : i;
                one = one.Apply(one.LastLsn + 1, Catalogue.At(0), s.Batch[i]);
            }

            return first < 0
                ? problem is null && Same(after, one)
                : ReferenceEquals(after, state) && problem is not null && (s.Batch.Length == 1 || problem.Detail.StartsWith($"Command {first} of {s.Batch.Length} ", StringComparison.Ordinal));
        });

    [Fact]
    public void Terms_never_go_back_a_term_has_one_leader_and_no_high_watermark_falls() => Check(Series, commands =>
    {
        var (state, leaders) = (MetadataState.Empty, new Dictionary<(string Channel, long Term), string>());
        foreach (var command in commands)
        {
            var before = state;
            state = state.With(command);
            foreach (var (channel, partition) in Partitions(state))
            {
                if (Partitions(before).TryGetValue(channel, out var was) && (partition.Term < was.Term || partition.HighWatermark < was.HighWatermark))
                {
                    return false;
                }

                if (partition.Leader is { } leader && (leaders.TryAdd((channel, partition.Term), leader) ? !partition.Isr.Contains(leader) : leaders[(channel, partition.Term)] != leader))
                {
                    return false;
                }
            }
        }

        return true;
    });

    [Fact]
    public void A_name_and_generation_never_come_twice_and_a_channel_is_of_one_topic_only() => Check(Series, commands =>
    {
        var (state, generations, channels) = (MetadataState.Empty, new Dictionary<(string, long), long>(), new Dictionary<string, long>(StringComparer.Ordinal));
        foreach (var command in commands)
        {
            state = state.With(command);
            foreach (var topic in state.Topics.Values)
            {
                generations.TryAdd((topic.Name, topic.Generation), topic.TopicId);
                if (generations[(topic.Name, topic.Generation)] != topic.TopicId)
                {
                    return false;
                }

                foreach (var channel in Enumerable.Range(0, topic.PartitionCount).Select(topic.ChannelOf))
                {
                    channels.TryAdd(channel, topic.TopicId);
                    if (channels[channel] != topic.TopicId)
                    {
                        return false;
                    }
                }
            }
        }

        return true;
    });

    [Fact]
    public void What_is_counted_and_listed_is_what_is_there_and_no_offset_outlives_its_topic() => Check(Series, commands =>
    {
        var state = Catalogue.Of(commands);
        return new[] { state, MetadataSnapshot.TryDecode(MetadataSnapshot.Encode(state), out _)! }.All(s =>
            s.PartitionCount == s.Topics.Values.Sum(t => t.PartitionCount)
            && s.Unassigned.Select(t => t.Name).SequenceEqual(s.Topics.Values.Where(t => t.Partitions.Count < t.PartitionCount).Select(t => t.Name))
            && s.Unassigned.All(t => t.Unassigned.Order().SequenceEqual(Enumerable.Range(0, t.PartitionCount).Except(t.Partitions.Keys)))
            && s.OffsetCount == s.Groups.Values.Sum(g => g.OffsetCount)
            && s.Groups.Values.All(g => g.OffsetCount == g.Offsets.Sum(t => t.Value.Count) && g.Offsets.All(t => t.Value.Keys.All(p => s.Topics.TryGetValue(t.Key, out var topic) && p < topic.PartitionCount)))
            && s.Topics.Values.SelectMany(t => t.Partitions).All(p => p.Value.Isr.All(n => n == p.Value.Leader || p.Value.Replicas.Contains(n))));
    });

    [Fact]
    public void Of_two_creations_of_one_name_one_succeeds_and_one_is_a_conflict_whatever_is_between_but_a_deletion() => Check(
        from between in Series from first in Gen.Choose(1, 3) from second in Gen.Choose(1, 3) select (between, first, second),
        ((MetadataCommand[] Between, int First, int Second) s) =>
        {
            var (state, one, two) = (MetadataState.Empty, new CreateTopic("once", s.First), new CreateTopic("once", s.Second));
            return MetadataRules.Check(state, one) is null
                && MetadataRules.CheckAll(state, [one, .. Accepted(s.Between), two]) is { Code: ApiErrorCode.Conflict }
                && state.With(one).With(s.Between) is var after && MetadataRules.Check(after, two) is { Code: ApiErrorCode.Conflict }
                && after.With(two).Topics["once"] == after.Topics["once"];
        });

    [Fact]
    public void The_drawn_commands_are_accepted_often_enough_to_say_anything()
    {
        var accepted = Series.Sample(800).SelectMany(Accepted).GroupBy(c => c.GetType()).ToDictionary(g => g.Key, g => g.Count());
        Assert.Equal(14, accepted.Count);
        Assert.All(accepted, a => Assert.True(a.Value >= 10, $"{a.Key.Name}: {a.Value}"));
    }

    private static MetadataCommand[] Accepted(IEnumerable<MetadataCommand> commands)
    {
        var (state, accepted) = (MetadataState.Empty, new List<MetadataCommand>());
        foreach (var command in commands.Where(c => MetadataRules.Check(state, c) is null))
        {
            state = state.With(command);
            accepted.Add(command);
        }

        return [.. accepted];
    }

    private static Dictionary<string, PartitionState> Partitions(MetadataState state) =>
        state.Topics.Values.SelectMany(t => t.Partitions.Values).ToDictionary(p => p.Channel, StringComparer.Ordinal);

    private static bool Same(MetadataState one, MetadataState other) => one.Hash() == other.Hash() && one.Equals(other);

    private static void Check<T>(Gen<T> of, Func<T, bool> property) => Prop.ForAll(of.ToArbitrary(), property).QuickCheckThrowOnFailure();
}
