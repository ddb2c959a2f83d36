using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.DevHost.Commands;
using Baton.DevHost.FunctionsHost;
using Baton.DevHost.FunctionsHost.Queues;
using Baton.DevHost.Processes;
using Baton.Testing;

namespace Baton.DevHost.Tests.FunctionsHost;

/// <summary>The whole instance, host and handler, dies by SIGKILL at an exact call; the next one gets the message again.</summary>
public sealed class KilledHostTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private readonly string _storage = azurite.NewAccount();

    [Theory]
    [InlineData("OnMessage:before:2", 1)]
    [InlineData("OnMessage:after:2", 2)]
    public async Task A_crash_point_kills_host_and_handler_and_the_message_is_delivered_again(string crashAt, int callsSeen)
    {
        using var app = new TestApp().Queue("OnMessage", "orders").Write();
        await using var script = await ScriptServer.StartAsync(_ => Task.FromResult(ScriptServer.Json("{}")));
        await using (var host = await StartAsync(app, script, crashAt))
        {
            await SendAsync("{\"n\":1}");
            await HostUnderTest.UntilAsync("the first message was handled", async () => script.Requests.Count == 1 && await HostUnderTest.LengthAsync(_storage, "orders") == 0);
            await SendAsync("{\"n\":2}");
            await host.WaitForExitAsync(CancellationToken.None).WaitAsync(HostUnderTest.Patience);

            Assert.Equal(128 + 9, host.ExitCode);
            Assert.Equal(callsSeen, script.Requests.Count);
        }

        await using var next = await StartAsync(app, script, crashAt: null);
        await HostUnderTest.UntilAsync("the second message was delivered again", () => script.Requests.Count == callsSeen + 1);

        Assert.Equal("{\"n\":2}", Encoding.UTF8.GetString(Convert.FromBase64String((string)ScriptServer.Envelope(script.Requests[^1])["Data"]!["msg"]!)));
    }

    private Task SendAsync(string body) => new LocalQueues(_storage).SendAsync("orders", Encoding.UTF8.GetBytes(body), CancellationToken.None);

    private async Task<ChildProcess> StartAsync(TestApp app, ScriptServer script, string? crashAt)
    {
        var options = HostUnderTest.Options(app, script, _storage);
        var host = ChildProcess.Start(new ChildProcessStart(
            "host",
            Path.Combine(AppContext.BaseDirectory, "Baton.DevHost"),
            [HostCommand.Name],
            Environment: new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [HostCommand.OptionsVariable] = JsonSerializer.Serialize(
                    new HostCommandOptions(options.AppRoot, 0, options.StorageConnectionString, options.HubName, options.AppSettings, "f", "m", "s", crashAt is null ? null : CrashPoint.Parse(crashAt)),
                    BatonJson.Options),
            }));
        await host.WaitForLineAsync(l => l.StartsWith(HostCommand.ReadyMark, StringComparison.Ordinal), HostUnderTest.Patience, CancellationToken.None);
        return host;
    }
}
