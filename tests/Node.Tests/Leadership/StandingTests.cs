using Baton.Node.Leadership;

namespace Baton.Node.Tests.Leadership;

public sealed class StandingTests
{
    private readonly StoppedClock _clock = new();

    [Theory]
    [InlineData(false, false, 61, false)]
    [InlineData(true, true, 61, false)]
    [InlineData(true, false, 59, false)]
    [InlineData(true, false, 60, true)]
    public void It_is_lost_when_it_has_nothing_left_of_what_it_had_and_nobody_has_answered_for_long(bool hasOwned, bool ownsNow, int silentSeconds, bool lost)
    {
        var standing = new Standing(TimeSpan.FromSeconds(60), _clock);
        standing.Note(hasOwned);
        _clock.Seconds += silentSeconds;
        Assert.Equal(lost, standing.IsLost(ownsNow));
    }

    [Fact]
    public void An_answer_starts_the_count_anew_and_what_was_owned_is_not_forgotten()
    {
        var standing = new Standing(TimeSpan.FromSeconds(60), _clock);
        standing.Note(true);
        standing.Note(false);
        _clock.Seconds += 59;
        standing.Heard();
        _clock.Seconds += 59;
        Assert.False(standing.IsLost(ownsNow: false));
        _clock.Seconds++;
        Assert.True(standing.IsLost(ownsNow: false));
    }

    private sealed class StoppedClock : TimeProvider
    {
        public long Seconds { get; set; } = 1_000;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
