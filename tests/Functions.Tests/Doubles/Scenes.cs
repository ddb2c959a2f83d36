using Baton.Core.Broadcasts;

namespace Baton.Functions.Tests.Doubles;

/// <summary>States that tests begin with.</summary>
internal static class Scenes
{
    /// <summary>The message of the broadcast cases.</summary>
    public static BroadcastMessage Drop { get; } = new("drop", ["ch1_vcontrol", "ch1_v1", "ch2_v2"], [new ResourceKey(ResourceDomain.Collection, "orders")], [1, 2, 3]);

    /// <summary>A broadcast of the old primary that reached this cluster, acked by some of its vchannels.</summary>
    public static async Task AddIncompleteAsync(this ControlPlane plane, long broadcastId, IReadOnlyList<string> acked)
    {
        // A tick of 0 is no ack: it only makes the task known.
        await plane.Broadcasts.AckAsync(broadcastId, "ch1_vcontrol", new BroadcastAck(0, 0, 0), Drop, new("a", "x1", 1, 1), default);
        foreach (var vchannel in acked)
        {
            await plane.Broadcasts.AckAsync(broadcastId, vchannel, new BroadcastAck(5, 5, 5), Drop, new("a", "x1", 1, 1), default);
        }
    }
}

/// <summary>Waits for a condition, bounded.</summary>
internal static class Until
{
    public static async Task TrueAsync(Func<Task<bool>> condition)
    {
        var deadline = DateTime.UtcNow.AddSeconds(60);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "The condition did not come true within 60 s.");
            await Task.Delay(10);
        }
    }
}
