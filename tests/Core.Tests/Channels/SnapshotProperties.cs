using Baton.Core.Channels;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Channels;

/// <summary>Any history, cut anywhere: what a snapshot taken at the cut gives back is the machine that was there.</summary>
public sealed class SnapshotProperties
{
    [Fact]
    public void A_restored_machine_answers_every_later_request_as_the_one_that_read_the_whole_log() => Check((before, after) =>
    {
        var (read, restored) = (before.With(before.Replay()), before.With(Restored(before)));
        foreach (var request in after)
        {
            RandomRequests.Run(read, request);
            RandomRequests.Run(restored, request);
        }

        Assert.Equal(read.Transcript, restored.Transcript);
        Assert.Equal(read.Machine.Describe(), restored.Machine.Describe());
        Assert.Equal(read.Machine.EncodeSnapshot(), restored.Machine.EncodeSnapshot());
    });

    [Fact]
    public void A_restored_machine_takes_the_rest_of_the_log_to_the_state_of_the_live_one() => Check((channel, after) =>
    {
        var (restored, cut) = (Restored(channel), channel.Log.Count);
        foreach (var request in after)
        {
            RandomRequests.Run(channel, request);
        }

        foreach (var (i, record) in channel.Log.Index().Skip(cut))
        {
            restored.Apply(i + 1, record);
        }

        Assert.Equal(channel.Machine.Describe(), restored.Describe());
        Assert.Equal(channel.Machine.EncodeSnapshot(), restored.EncodeSnapshot());
    });

    [Fact]
    public void The_same_state_gives_the_same_bytes_live_replayed_and_restored() => Check((channel, _) =>
    {
        var bytes = channel.Machine.EncodeSnapshot();
        Assert.Equal(bytes, channel.Replay().EncodeSnapshot());
        Assert.Equal(bytes, Restored(channel).EncodeSnapshot());
        Assert.Equal(channel.Machine.Describe(), Restored(channel).Describe());
    });

    [Fact]
    public void A_snapshot_cut_short_gives_nothing() => Check(
        (channel, _) =>
        {
            var bytes = channel.Machine.EncodeSnapshot();
            for (var length = 0; length < bytes.Length; length++)
            {
                Assert.Null(Restore(bytes.AsMemory(0, length), out var problem));
                Assert.False(string.IsNullOrEmpty(problem));
            }
        },
        histories: 30);

    [Fact]
    public void A_snapshot_with_a_wrong_byte_gives_nothing_or_a_machine_that_writes_just_that_byte() => Check(
        (channel, _) =>
        {
            var bytes = channel.Machine.EncodeSnapshot();
            for (var i = 0; i < bytes.Length * 8; i++)
            {
                bytes[i / 8] ^= (byte)(1 << (i % 8));
                if (Restore(bytes, out var problem) is { } machine)
                {
                    Assert.Null(problem);
                    Assert.Equal(bytes, machine.EncodeSnapshot());
                    Assert.NotEmpty(machine.Describe());
                }

                bytes[i / 8] ^= (byte)(1 << (i % 8));
            }
        },
        histories: 30);

    [Fact]
    public void Bytes_drawn_at_random_give_nothing_or_a_machine_that_writes_them() => Prop.ForAll(Gen.Choose(0, 255).Select(i => (byte)i).ArrayOf().ToArbitrary(), tail =>
    {
        var start = new ChannelMachine("b", "b-0").EncodeSnapshot()[..7];
        byte[] bytes = [.. start, .. tail];
        return Restore(bytes, out _) is not { } machine || machine.EncodeSnapshot().AsSpan().SequenceEqual(bytes);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(1_000));

    private static ChannelMachine? Restore(ReadOnlyMemory<byte> bytes, out string? problem) => ChannelMachine.TryRestore("b", "b-0", bytes, out problem, RandomRequests.Low);

    private static ChannelMachine Restored(LiveChannel channel)
    {
        var machine = Restore(channel.Machine.EncodeSnapshot(), out var problem);
        Assert.Null(problem);
        return machine!;
    }

    private static void Check(Action<LiveChannel, IEnumerable<(int, int, int, int)>> property, int histories = 300) =>
        Prop.ForAll(RandomRequests.Series.ToArbitrary(), RandomRequests.Series.ToArbitrary(), (before, after) =>
        {
            var channel = RandomRequests.NewChannel();
            foreach (var request in before)
            {
                RandomRequests.Run(channel, request);
            }

            property(channel, after);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(histories));
}
