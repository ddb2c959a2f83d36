using System.Text.Json.Nodes;
using Baton.ScriptedHandler;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class TimerTriggerTests
{
    [Fact]
    public async Task A_timer_runs_again_and_again_even_after_failures()
    {
        var calls = 0;
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Function("Tick", """{"name":"tick","type":"timerTrigger","schedule":"%Schedule%"}"""),
            _ => Task.FromResult(Interlocked.Increment(ref calls) == 1 ? new HandlerAnswer(500, null, []) : ScriptServer.Json("{}")),
            settings: new Dictionary<string, string>(StringComparer.Ordinal) { ["Schedule"] = "* * * * * *" });

        await HostUnderTest.UntilAsync("it ran three times", () => host.Script.Requests.Count >= 3);

        var tick = ScriptServer.Envelope(host.Script.Requests[0])["Data"]!["tick"]!;
        Assert.True((bool)tick["Schedule"]!["AdjustForDST"]!);
        Assert.False((bool)tick["IsPastDue"]!);
        Assert.Null(tick["ScheduleStatus"]);
    }

    [Fact]
    public async Task A_timer_never_overlaps_itself()
    {
        var running = 0;
        var overlapped = false;
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Function("Tick", """{"name":"tick","type":"timerTrigger","schedule":"* * * * * *"}""").Http("Clock"),
            async request =>
            {
                overlapped |= Interlocked.Increment(ref running) > 1;

                // Longer than the schedule's second: a due time falls into the run.
                await Task.Delay(TimeSpan.FromMilliseconds(1500));
                Interlocked.Decrement(ref running);
                return ScriptServer.Json("{}");
            });

        await HostUnderTest.UntilAsync("it ran three times", () => host.Script.Requests.Count >= 3);

        Assert.False(overlapped);
    }

    [Fact]
    public async Task A_timer_may_run_at_the_start_and_is_told_its_schedules_status()
    {
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Function("Yearly", """{"name":"tick","type":"timerTrigger","schedule":"0 0 0 1 1 *","runOnStartup":true}"""),
            _ => Task.FromResult(ScriptServer.Json("{}")));

        await HostUnderTest.UntilAsync("it ran", () => host.Script.Requests.Count == 1);

        JsonNode status = ScriptServer.Envelope(host.Script.Requests[0])["Data"]!["tick"]!["ScheduleStatus"]!;
        Assert.EndsWith("-01-01T00:00:00+00:00", (string?)status["Next"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"Outputs":{"a":1,"a":2}}""")]
    [InlineData("""{"ReturnValue":"\ud800"}""")]
    public async Task An_answer_that_cannot_be_read_fails_its_call_and_nothing_else(string unreadable)
    {
        var calls = 0;
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Function("Tick", """{"name":"tick","type":"timerTrigger","schedule":"* * * * * *"}"""),
            _ => Task.FromResult(ScriptServer.Json(Interlocked.Increment(ref calls) == 1 ? unreadable : "{}")));

        await HostUnderTest.UntilAsync("it ran again, or the host gave up", () => calls >= 2 || host.Host.StopReason is not null);

        Assert.Null(host.Host.StopReason);
    }
}
