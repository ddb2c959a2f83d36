using Baton.Core.Api;
using Baton.DevHost.Chaos.Checks;
using Baton.DevHost.Chaos.Load;
using static Baton.DevHost.Tests.Chaos.DoctoredLogs;

namespace Baton.DevHost.Tests.Chaos;

/// <summary>The check of broadcasts finds one that is incomplete, doubled, or nowhere though it was taken on.</summary>
public sealed class BroadcastCheckTests
{
    private static readonly ReadMessage OnFirst = Broadcast(8, "a-ch0_v1", "a-ch0_v1", "a-ch1_v1");
    private static readonly ReadMessage OnSecond = Broadcast(3, "a-ch1_v1", "a-ch0_v1", "a-ch1_v1");

    [Fact]
    public void A_broadcast_once_on_each_of_its_vchannels_is_complete() => Assert.Empty(BroadcastCheck.Check(Logs([OnFirst], [OnSecond]), [Taken]));

    [Fact]
    public void A_copy_that_is_missing_doubled_or_on_another_vchannel_is_found()
    {
        Assert.Single(BroadcastCheck.Check(Logs([OnFirst], []), []));
        Assert.Single(BroadcastCheck.Check(Logs([OnFirst], [OnSecond, OnSecond with { Lsn = 9 }]), []));
        Assert.Single(BroadcastCheck.Check(Logs([OnFirst], [OnSecond with { VChannel = "a-ch1_v2" }]), []));
    }

    [Fact]
    public void A_broadcast_that_was_taken_on_and_is_nowhere_is_found() => Assert.Equal(2, BroadcastCheck.Check(Logs([], []), [Taken]).Count);

    private static RecordedBroadcast Taken => new(BroadcastId, ["a-ch0_v1", "a-ch1_v1"]);

    private static Dictionary<string, IReadOnlyList<ReadMessage>> Logs(IReadOnlyList<ReadMessage> first, IReadOnlyList<ReadMessage> second) =>
        new(StringComparer.Ordinal) { ["a-ch0"] = first, ["a-ch1"] = second };
}
