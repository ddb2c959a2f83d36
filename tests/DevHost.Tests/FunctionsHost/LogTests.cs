using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class LogTests
{
    [Fact]
    public async Task Keys_in_a_requests_address_do_not_reach_the_log_and_the_handlers_output_does()
    {
        using var lines = new Lines();
        using var loggers = LoggerFactory.Create(b => b.AddProvider(lines).SetMinimumLevel(LogLevel.Trace));
        await using (var host = await HostUnderTest.StartAsync(
            new TestApp().EnvelopeHttp("F", "function"),
            _ => Task.FromResult(ScriptServer.Json("""{"Logs":["said by the function"]}""")),
            loggers: loggers))
        {
            using var answer = await host.PostAsync("/api/F?code=function-key", "{}");
            answer.EnsureSuccessStatusCode();
        }

        Assert.DoesNotContain(lines.All, l => l.Contains("function-key", StringComparison.Ordinal));
        Assert.Contains(lines.All, l => l.StartsWith("Information Handler: handler ", StringComparison.Ordinal));
        Assert.Contains("Information Function.F: said by the function", lines.All, StringComparer.Ordinal);
    }

    private sealed class Lines : ILoggerProvider
    {
        public ConcurrentQueue<string> All { get; } = new();

        public ILogger CreateLogger(string categoryName) => new CategoryLog(this, categoryName);

        public void Dispose()
        {
        }

        private sealed class CategoryLog(Lines lines, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                lines.All.Enqueue($"{logLevel} {category}: {formatter(state, exception)}");
        }
    }
}
