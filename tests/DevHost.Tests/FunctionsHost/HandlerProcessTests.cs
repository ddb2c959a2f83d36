using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Baton.DevHost.FunctionsHost;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.Processes;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class HandlerProcessTests
{
    private static readonly Uri Call = new("/api/F", UriKind.Relative);

    [Fact]
    public async Task After_exit_code_0_the_handler_stays_away_and_every_later_call_fails()
    {
        await using var host = await StartAsync(exitCode: 0);

        Assert.Equal(HttpStatusCode.InternalServerError, await StatusAsync(host, "/api/Exit"));
        var pid = host.Host.HandlerPid;
        await HostUnderTest.UntilAsync("the handler has ended", () => !IsRunning(pid));

        Assert.Equal(HttpStatusCode.InternalServerError, await StatusAsync(host, "/api/F"));
        Assert.Equal(HttpStatusCode.InternalServerError, await StatusAsync(host, "/api/F"));
        Assert.Equal(pid, host.Host.HandlerPid);
        Assert.Null(host.Host.StopReason);
    }

    [Fact]
    public async Task After_exit_code_200_the_handler_is_started_again_however_often()
    {
        await using var host = await StartAsync(exitCode: 200);

        for (var i = 0; i < 4; i++)
        {
            await ExitAndWaitForTheNextAsync(host);
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(host, "/api/F"));
        }

        Assert.Null(host.Host.StopReason);
    }

    [Fact]
    public async Task After_an_error_the_handler_is_started_again_and_the_third_error_stops_the_host()
    {
        await using var host = await StartAsync(exitCode: 3);

        await ExitAndWaitForTheNextAsync(host);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(host, "/api/F"));
        await ExitAndWaitForTheNextAsync(host);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(host, "/api/F"));
        await StatusOrGoneAsync(host, "/api/Exit");

        await host.Host.WaitForShutdownAsync(CancellationToken.None).WaitAsync(HostUnderTest.Patience);
        Assert.Contains("third time", host.Host.StopReason, StringComparison.Ordinal);
        await Assert.ThrowsAsync<HttpRequestException>(() => host.Http.GetAsync(Call));
    }

    [Fact]
    public async Task A_call_during_a_restart_waits_for_the_new_handler()
    {
        await using var host = await StartAsync(exitCode: 1);
        var pid = host.Host.HandlerPid;
        await StatusAsync(host, "/api/Exit");
        await HostUnderTest.UntilAsync("the restart has begun", () => host.Host.HandlerPid != pid);

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(host, "/api/F"));
    }

    [Fact]
    public async Task A_handler_that_ends_at_its_start_is_an_error_that_shows_its_last_words()
    {
        var refused = await Assert.ThrowsAsync<InvalidFunctionAppException>(() => HostUnderTest.StartAsync(
            new TestApp().Http("F"),
            _ => Task.FromResult(ScriptServer.Json("{}")),
            settings: new Dictionary<string, string>(StringComparer.Ordinal) { ["SCRIPT_EXIT_AT_START"] = "7" }));

        Assert.Contains("not today", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_that_is_not_there_is_an_error_that_names_it()
    {
        var app = new TestApp().Http("F");
        app.HostJson["customHandler"]!["description"]!["defaultExecutablePath"] = "no-such-program";

        var refused = await Assert.ThrowsAsync<InvalidFunctionAppException>(() => HostUnderTest.StartAsync(app, _ => Task.FromResult(ScriptServer.Json("{}"))));

        Assert.Contains("no-such-program", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_that_listens_and_never_answers_is_not_waited_for_longer_than_its_initialization_timeout()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var app = new TestApp().Http("F");
        var handler = app.HostJson["customHandler"]!;
        handler["port"] = ((IPEndPoint)silent.LocalEndpoint).Port;
        handler["initializationTimeout"] = "00:00:02";
        handler["description"] = new JsonObject { ["defaultExecutablePath"] = "sleep", ["arguments"] = new JsonArray("600") };

        var refused = await Assert.ThrowsAsync<InvalidFunctionAppException>(() => HostUnderTest.StartAsync(app, _ => Task.FromResult(ScriptServer.Json("{}"))).WaitAsync(HostUnderTest.Patience));

        Assert.Contains("answered nothing", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_leaves_something_running_behind_holds_nobody_up()
    {
        // What is left behind has the output's pipe open still.
        var process = ChildProcess.Start(new ChildProcessStart("leaver", "sh", ["-c", "sleep 90 & exit 3"]));

        await process.DisposeAsync().AsTask().WaitAsync(HostUnderTest.Patience);
    }

    [Fact]
    public async Task Disposing_the_host_ends_the_handler()
    {
        var host = await StartAsync(exitCode: 0);
        var pid = host.Host.HandlerPid;
        Assert.True(IsRunning(pid));

        await host.DisposeAsync();

        Assert.False(IsRunning(pid));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_crash_point_kills_the_handler_at_exactly_the_nth_call(bool after)
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Http("F"), _ => Task.FromResult(ScriptServer.Json("{}")), crashAt: new CrashPoint("F", after, Nth: 2, CrashScope.Handler));
        var pid = host.Host.HandlerPid;

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(host, "/api/F"));
        Assert.Equal(pid, host.Host.HandlerPid);

        // Killed before the call: it fails and the script never sees it. Killed after the answer: the answer is here.
        Assert.Equal(after ? HttpStatusCode.OK : HttpStatusCode.InternalServerError, await StatusAsync(host, "/api/F"));
        Assert.Equal(after ? 2 : 1, host.Script.Requests.Count);
        await HostUnderTest.UntilAsync("the handler was killed and replaced", () => host.Host.HandlerPid != pid);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(host, "/api/F"));
    }

    private static Task<HostUnderTest> StartAsync(int exitCode) => HostUnderTest.StartAsync(
        new TestApp().Http("F").Http("Exit"),
        request => Task.FromResult(ScriptServer.Json("{}") with { ExitCode = request.PathAndQuery == "/api/Exit" ? exitCode : null }));

    private static async Task ExitAndWaitForTheNextAsync(HostUnderTest host)
    {
        var pid = host.Host.HandlerPid;
        await StatusAsync(host, "/api/Exit");
        await HostUnderTest.UntilAsync("another handler runs", () => host.Host.HandlerPid != pid);
    }

    private static async Task<HttpStatusCode> StatusAsync(HostUnderTest host, string path)
    {
        using var answer = await host.Http.GetAsync(new Uri(path, UriKind.Relative));
        return answer.StatusCode;
    }

    // The host may be gone before it has answered.
    private static async Task StatusOrGoneAsync(HostUnderTest host, string path)
    {
        try
        {
            await StatusAsync(host, path);
        }
        catch (HttpRequestException)
        {
        }
    }

    private static bool IsRunning(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
