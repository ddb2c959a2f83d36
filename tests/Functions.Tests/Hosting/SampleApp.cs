using System.Collections.Concurrent;
using Baton.Functions.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Baton.Functions.Tests.Hosting;

/// <summary>The sample functions, served as the app serves its own, on a free port.</summary>
public sealed class SampleApp : IAsyncLifetime
{
    private WebApplication app = null!;

    internal static FunctionCatalog Catalog { get; } = FunctionCatalog.Scan([typeof(HttpFunctions), typeof(EventFunctions), typeof(Workflow)]);

    public HttpClient Client { get; private set; } = null!;

    public Seen Seen { get; } = new();

    internal RecordedLog Log { get; } = new();

    public async Task InitializeAsync()
    {
        var builder = FunctionsApp.CreateBuilder([$"--{FunctionsApp.PortSetting}=0"], Catalog);
        builder.Services.AddSingleton(Seen);
        builder.Logging.ClearProviders().AddProvider(Log);
        app = FunctionsApp.Build(builder);
        await app.StartAsync();
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
    }

    public bool IsStopping => app.Lifetime.ApplicationStopping.IsCancellationRequested;

    public Task StopAsync() => app.StopAsync();

    public async Task DisposeAsync()
    {
        Client.Dispose();
        await app.DisposeAsync();
    }
}

/// <summary>Everything logged.</summary>
internal sealed class RecordedLog : ILoggerProvider
{
    public ConcurrentQueue<(LogLevel Level, string Text)> Lines { get; } = new();

    public int Errors(string about) => Lines.Count(line => line.Level >= LogLevel.Error && line.Text.Contains(about, StringComparison.Ordinal));

    public ILogger CreateLogger(string categoryName) => new Recorder(this);

    public void Dispose()
    {
    }

    private sealed class Recorder(RecordedLog log) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log.Lines.Enqueue((logLevel, $"{formatter(state, exception)} {exception}"));
    }
}
