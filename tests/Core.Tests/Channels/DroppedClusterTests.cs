using Baton.Core.Api;
using Baton.Core.Replication;
using static Baton.Core.Tests.Channels.SourceRecords;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Channels;

/// <summary>A secondary that its source drops: the change that does it names this cluster no more.</summary>
public sealed class DroppedClusterTests
{
    private static readonly ReplicateConfiguration SourceAlone = Of([Named("a", "a-0", "a-1")]);

    [Theory]
    [InlineData("a-0_vcontrol")]
    [InlineData("a-0")]
    public void The_change_that_dropped_this_cluster_is_a_repeat_when_it_comes_again(string vchannel)
    {
        var channel = Secondary();
        var drop = Alter(10, 5, SourceAlone, vchannel, [vchannel, "a-1"]);

        Assert.Equal("ok", Send(channel, drop));
        Assert.Equal(ClusterRole.Standalone, channel.Machine.Role);
        Assert.Equal("ignored", Send(channel, drop));
        Assert.Equal(nameof(ApiErrorCode.ReplicateViolation), Send(channel, drop with { BroadcastId = 6 }));
        Assert.Equal(nameof(ApiErrorCode.ReplicateViolation), Send(channel, Plain(11)));
    }
}
