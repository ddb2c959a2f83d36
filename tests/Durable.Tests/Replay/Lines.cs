using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Baton.Durable.Tests.Replay;

/// <summary>Every line logged, with its category.</summary>
internal sealed class Lines : ILoggerFactory
{
    private readonly ConcurrentQueue<(string Category, LogLevel Level, string Text)> _written = new();

    public IReadOnlyList<(string Category, LogLevel Level, string Text)> Written => [.. _written];

    public IReadOnlyList<string> Texts => [.. _written.Select(line => line.Text)];

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public ILogger CreateLogger(string categoryName) => new Writer(this, categoryName);

    public void Dispose()
    {
    }

    private sealed class Writer(Lines lines, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            => lines._written.Enqueue((category, logLevel, formatter(state, exception)));
    }
}
