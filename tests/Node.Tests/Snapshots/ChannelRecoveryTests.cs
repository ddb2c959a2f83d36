using System.Text;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Channels;
using Baton.Core.Wal;
using Baton.Node.Channels;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Node.Tests.Snapshots;

public sealed class ChannelRecoveryTests
{
    private static readonly OwedAck Owed = new(
        1, 77, new BroadcastAckRequest("ch_v1", new BroadcastAck(1, 1, 10), new BroadcastMessage("drop", ["ch_v1"], [], [7]), new SourcePosition("a", "src", 1, 10)));

    [Fact]
    public async Task A_snapshot_gives_the_state_the_sizes_and_the_acks_owed_then()
    {
        var recovery = New();
        Assert.True(await recovery.TakeSnapshotAsync(new WalSnapshot(1, Content(Machine()))));
        await recovery.TakeRecordAsync(2, Message(11));
        Assert.Equal((2L, 1L, 1), (recovery.Machine.LastLsn, recovery.SnapshotLsn, recovery.Records));
        var owed = Assert.Single(recovery.Owed);
        Assert.Equal((1L, 77L, "ch_v1"), (owed.Lsn, owed.BroadcastId, owed.Request.VChannel));
        Assert.Equal(Owed.Request.Source, owed.Request.Source);
        Assert.Equal([new KeyValuePair<long, long>(5, 4_096)], recovery.Sizes.Sorted());
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("""{"version":2,"machine":"","sizes":{},"owed":[]}""")]
    [InlineData("""{"version":1,"machine":"","sizes":{},"owed":[]}""")]
    [InlineData("""{"version":1,"machine":"!","sizes":{},"owed":[]}""")]
    [InlineData("""{"version":1,"machine":"","sizes":{},"owed":[null]}""")]
    [InlineData("""{"version":1,"machine":"","sizes":{},"owed":[{"lsn":1,"broadcastId":2,"request":{}}]}""")]
    [InlineData("""{"version":1,"machine":"","sizes":{"x":1},"owed":[]}""")]
    public async Task Something_else_is_refused_and_changes_nothing(string content)
    {
        var recovery = New();
        Assert.False(await recovery.TakeSnapshotAsync(new WalSnapshot(1, Encoding.UTF8.GetBytes(content))));
        Assert.Equal(0, recovery.Machine.LastLsn);
        Assert.Empty(recovery.Owed);
    }

    [Fact]
    public async Task A_snapshot_that_is_not_of_its_LSN_is_refused()
    {
        Assert.False(await New().TakeSnapshotAsync(new WalSnapshot(2, Content(Machine()))));
    }

    [Fact]
    public async Task A_snapshot_with_any_byte_cut_off_is_refused()
    {
        var content = Content(Machine());
        for (var length = 0; length < content.Length; length++)
        {
            Assert.False(await New().TakeSnapshotAsync(new WalSnapshot(1, content.AsMemory(0, length))));
        }
    }

    [Fact]
    public void The_same_state_gives_the_same_bytes() => Assert.Equal(Content(Machine()), Content(Machine()));

    private static ChannelRecovery New() => new("b", "ch", NullLogger.Instance);

    private static WalRecord Message(long tick) => new() { Type = WalRecordType.Message, TimeTick = tick };

    private static ChannelMachine Machine()
    {
        var machine = new ChannelMachine("b", "ch");
        machine.Apply(1, Message(10));
        return machine;
    }

    private static byte[] Content(ChannelMachine machine) =>
        new ChannelSnapshot(ChannelSnapshot.Present, machine.EncodeSnapshot(), new SortedDictionary<long, long> { [5] = 4_096 }, [Owed]).Encode();
}
