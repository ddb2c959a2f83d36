using Baton.DevHost.FunctionsHost.Handler;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class HandlerExitRulesTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Exit_code_0_is_never_restarted() => Assert.Equal(ExitDecision.StayDown, new HandlerExitRules().OnExit(0, Start));

    [Fact]
    public void Exit_code_200_is_restarted_as_often_as_it_likes()
    {
        var rules = new HandlerExitRules();

        Assert.All(Enumerable.Range(0, 20), i => Assert.Equal(ExitDecision.Restart, rules.OnExit(200, Start.AddSeconds(i))));
    }

    [Fact]
    public void The_third_error_within_30_minutes_of_the_one_before_stops_the_host()
    {
        var rules = new HandlerExitRules();

        Assert.Equal(ExitDecision.Restart, rules.OnExit(137, Start));
        Assert.Equal(ExitDecision.Restart, rules.OnExit(1, Start.AddMinutes(29)));
        Assert.Equal(ExitDecision.StopHost, rules.OnExit(134, Start.AddMinutes(58)));
    }

    [Fact]
    public void An_error_after_more_than_30_minutes_starts_the_count_anew()
    {
        var rules = new HandlerExitRules();

        rules.OnExit(1, Start);
        rules.OnExit(1, Start.AddMinutes(10));

        Assert.Equal(ExitDecision.Restart, rules.OnExit(1, Start.AddMinutes(41)));
        Assert.Equal(ExitDecision.Restart, rules.OnExit(1, Start.AddMinutes(50)));
        Assert.Equal(ExitDecision.StopHost, rules.OnExit(1, Start.AddMinutes(60)));
    }
}
