using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Baton.Edge.Connections;
using Baton.Edge.Hosting;
using Baton.Functions.Hosting;
using Baton.Testing;

namespace Baton.Functions.Tests.Hosting;

public sealed class ProcessTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task The_app_writes_its_function_json_and_ends()
    {
        var folder = Directory.CreateTempSubdirectory("baton-functions-").FullName;
        try
        {
            using var app = Start([], "--write-function-json", folder);

            Assert.Equal((0, string.Empty), await EndAsync(app));
            Assert.Equal(
                FunctionCatalog.Scan(typeof(FunctionCatalog).Assembly).Functions.Select(function => function.Name).ToList(),
                Directory.EnumerateDirectories(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal).ToList());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Without_its_port_the_app_says_what_is_missing()
    {
        using var app = Start([]);

        var (exitCode, error) = await EndAsync(app);

        Assert.Equal(1, exitCode);
        Assert.Contains("FUNCTIONS_CUSTOMHANDLER_PORT is ''", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_its_settings_the_app_says_what_is_missing()
    {
        using var app = Start([(FunctionsApp.PortSetting, "0")]);

        var (exitCode, error) = await EndAsync(app);

        Assert.Equal(1, exitCode);
        Assert.Contains("Setting '", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_app_ends_with_200_when_its_hosts_end_of_the_pipe_closes()
    {
        using var app = await ServeAsync();

        app.StandardInput.Close();

        Assert.Equal(FunctionsApp.StoppedExitCode, (await EndAsync(app)).ExitCode);
    }

    [Fact]
    public async Task The_app_ends_with_200_when_it_is_asked_to_end()
    {
        using var app = await ServeAsync();

        using var kill = Process.Start("kill", ["-TERM", $"{app.Id}"]);

        Assert.Equal(FunctionsApp.StoppedExitCode, (await EndAsync(app)).ExitCode);
    }

    // With the settings of the whole app.
    private async Task<Process> ServeAsync()
    {
        var port = FreePort();
        var app = Start(
        [
            (FunctionsApp.PortSetting, $"{port}"),
            (StdinWatch.Setting, "true"),
            ("Storage__ConnectionString", azurite.NewAccount()),
            ("ServiceBusConnection", "Endpoint=sb://127.0.0.1"),
            ("Cluster__Id", "a"),
            ("Cluster__Secret", "0123456789abcdef0123456789abcdef"),
            ("HeartbeatSweepSchedule", "* * * * * *"),
            ("RecoverySweepSchedule", "* * * * * *"),
            ("OperationSweepSchedule", "*/10 * * * * *"),
        ]);
        using var client = new HttpClient(new ConnectFaults(new SocketsHttpHandler())) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            Assert.False(app.HasExited, app.HasExited ? await app.StandardError.ReadToEndAsync() : string.Empty);
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(1), "the app was not ready in a minute");
            try
            {
                using var response = await client.GetAsync(new Uri("/", UriKind.Relative));
                return app;
            }
            catch (HttpRequestException e) when (e.InnerException is SocketException)
            {
                await Task.Delay(25);
            }
        }
    }

    private static Process Start((string Name, string Value)[] settings, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Baton.Functions"), arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove(FunctionsApp.PortSetting);
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    private static async Task<(int ExitCode, string Error)> EndAsync(Process app)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        try
        {
            var output = app.StandardOutput.ReadToEndAsync(patience.Token);
            var error = await app.StandardError.ReadToEndAsync(patience.Token);
            await output;
            await app.WaitForExitAsync(patience.Token);
            return (app.ExitCode, error);
        }
        catch (OperationCanceledException)
        {
            app.Kill();
            throw;
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
