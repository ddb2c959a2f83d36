using Baton.Core.Cluster;
using Baton.Node.Replicas;
using Baton.Node.Replicas.Feed;

namespace Baton.Node.Tests.Replicas;

/// <summary>The two queues between a leader and a replica, alone.</summary>
public sealed class FeedBufferTests
{
    [Fact]
    public void What_is_not_durable_is_not_given_out()
    {
        var buffer = new FeedBuffer(0, 1_000);
        var (first, second) = (ReplicaScene.Batch(1, "a"), ReplicaScene.Batch(2, "b"));
        buffer.Add(first);
        buffer.Add(second);
        Assert.Equal(default, buffer.Next(0));
        buffer.Durable(1);
        Assert.Same(first, buffer.Next(0).Batch);
        Assert.Equal(default, buffer.Next(1));
        buffer.Durable(2);
        Assert.Same(second, buffer.Next(1).Batch);
        Assert.Equal(default, buffer.Next(2));
    }

    [Fact]
    public void What_is_missing_before_the_first_batch_is_to_be_fetched_and_what_is_here_already_is_dropped()
    {
        var buffer = new FeedBuffer(3, 1_000);
        buffer.Add(ReplicaScene.Batch(5, "e"));
        Assert.Equal(new FeedStep(null, 3), buffer.Next(1));
        buffer.Durable(5);
        Assert.Equal(new FeedStep(null, 4), buffer.Next(1));
        Assert.NotNull(buffer.Next(4).Batch);
        buffer.Add(ReplicaScene.Batch(6, "f"));
        buffer.Durable(6);
        Assert.Equal(default, buffer.Next(6));
        buffer.Durable(7);
        Assert.Equal(new FeedStep(null, 7), buffer.Next(6));
    }

    [Fact]
    public void Over_its_bound_it_drops_what_it_holds_and_goes_on_with_what_comes()
    {
        var one = ReplicaScene.Batch(1, new string('x', 400));
        var buffer = new FeedBuffer(0, 2 * one.Length);
        buffer.Add(one);
        buffer.Add(ReplicaScene.Batch(2, new string('x', 400)));
        buffer.Add(ReplicaScene.Batch(3, new string('x', 400)));
        buffer.Durable(3);
        Assert.Equal(new FeedStep(null, 2), buffer.Next(0));
        Assert.NotNull(buffer.Next(2).Batch);
    }

    [Fact]
    public void A_batch_that_does_not_follow_is_refused()
    {
        var buffer = new FeedBuffer(0, 1_000);
        buffer.Add(ReplicaScene.Batch(1, "a"));
        Assert.Throws<FeedException>(() => buffer.Add(ReplicaScene.Batch(3, "c")));
        Assert.Throws<FeedException>(() => new FeedBuffer(0, 1_000).Add(new byte[20]));
    }

    [Fact]
    public void A_subscriber_is_full_once_and_for_ever_but_one_push_alone_always_fits()
    {
        using var small = new FeedSubscriber("r", ReplicaMode.Sync, 1_024);
        var large = new FeedPush(new byte[4_096], 0);
        Assert.True(small.TryPush(large));
        Assert.False(small.TooSlow.IsCancellationRequested);
        Assert.False(small.TryPush(new FeedPush(null, 1)));
        Assert.True(small.Pushes.TryRead(out var taken));
        small.Sent(taken);
        Assert.False(small.TryPush(new FeedPush(null, 2)));
        Assert.True(small.Pushes.Completion.IsCompleted);
    }

    [Theory]
    [InlineData(nameof(FollowSettings.FeedQueueBytes), 1)]
    [InlineData(nameof(FollowSettings.FeedIdleMs), 0)]
    [InlineData(nameof(FollowSettings.SilenceMs), 1_999)]
    [InlineData(nameof(FollowSettings.HeldBytes), 0)]
    [InlineData(nameof(FollowSettings.RetryDelayMs), 0)]
    [InlineData(nameof(FollowSettings.RetryMaxDelayMs), 99)]
    [InlineData(nameof(FollowSettings.ProgressIntervalMs), 0)]
    [InlineData(nameof(FollowSettings.SessionIdleMs), 99)]
    public void A_setting_that_makes_no_sense_is_named_with_its_value(string setting, int value)
    {
        var settings = new FollowSettings();
        settings.Validate();
        typeof(FollowSettings).GetProperty(setting)!.SetValue(settings, value);
        var failure = Assert.Throws<InvalidOperationException>(settings.Validate);
        Assert.Contains($"Follow:{setting} is {value}", failure.Message, StringComparison.Ordinal);
    }
}
