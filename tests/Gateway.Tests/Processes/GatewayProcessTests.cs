using Baton.Core.Api;
using Baton.Gateway.Tests.Harness;

namespace Baton.Gateway.Tests.Processes;

/// <summary>What a supervisor sees of a gateway: its lines and its exit code.</summary>
public sealed class GatewayProcessTests
{
    [Fact]
    public async Task Wrong_settings_end_the_start_with_exit_code_2_and_a_line_each_with_setting_value_and_fix()
    {
        await using var gateway = GatewayProcess.Start(
            new Uri("http://127.0.0.1:1"), ("Gateway:Id", "Gate 1"), ("Gateway:HoldMs", "99"), ("Cluster:ClientSecret", "tiny-secret"), ("ControlPlane:Url", "/relative"), ("ControlPlane:Key", ""));

        Assert.Equal(2, await gateway.ExitCodeAsync());
        Assert.Equal(
            [
                "Gateway:Id is \"Gate 1\": give this gateway an id that matches [a-z0-9][a-z0-9._-]{0,62}.",
                "Gateway:HoldMs is 99: give a number from 100 to 600000.",
                "Cluster:ClientSecret has 11 characters: give the client secret of the cluster's nodes, at least 16.",
                "ControlPlane:Url is \"/relative\": give the absolute http(s) base address of the cluster's function app.",
                "ControlPlane:Key is empty: give a function key of the control plane.",
            ],
            gateway.Errors);
        Assert.Empty(gateway.Output);
    }

    [Fact]
    public async Task A_setting_of_the_wrong_kind_ends_the_start_alike()
    {
        await using var gateway = GatewayProcess.Start(new Uri("http://127.0.0.1:1"), ("Gateway:HoldMs", "five"));

        Assert.Equal(2, await gateway.ExitCodeAsync());
        var line = Assert.Single(gateway.Errors);
        Assert.Contains("Gateway:HoldMs", line, StringComparison.Ordinal);
        Assert.Contains("five", line, StringComparison.Ordinal);
        Assert.Empty(gateway.Output);
    }

    [Fact]
    public async Task Told_to_stop_by_SIGTERM_it_finishes_what_it_holds_and_ends_with_exit_code_0()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var gone = await FakeNode.DownAsync("node-1");
        await using var next = await FakeNode.StartAsync("node-2");
        plane.Lead("ch", gone, term: 1);
        await using var gateway = GatewayProcess.Start(plane.Address);
        await gateway.IsReadyAsync();
        var append = gateway.AppendAsync("ch").AppendedAsync();
        await gateway.HoldsAsync(1);

        await gateway.TerminateAsync();
        Assert.False(append.IsCompleted);
        plane.Lead("ch", next, term: 2);

        await append;
        Assert.Equal(0, await gateway.ExitCodeAsync());
        Assert.Single(next.Received);
        Assert.Empty(gateway.Errors);
    }

    [Fact]
    public async Task Told_to_stop_while_it_holds_what_nobody_can_take_it_answers_503_and_ends_with_exit_code_0()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakeOffline("ch");
        await using var gateway = GatewayProcess.Start(plane.Address, ("Gateway:HoldMs", "1000"));
        await gateway.IsReadyAsync();

        // Until it is told to stop, what a read asks to wait counts on top.
        var read = gateway.GetAsync("channels/ch/messages?waitMs=60000").ProblemAsync(ApiErrorCode.Unavailable);
        await gateway.HoldsAsync(1);

        await gateway.TerminateAsync();

        Assert.Contains("no live node", (await read).Detail, StringComparison.Ordinal);
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }
}
