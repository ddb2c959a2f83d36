namespace Baton.DevHost.FunctionsHost;

/// <summary>
/// The web server's log, from warnings up: below, it writes each request's address, and the Durable client's calls carry the system key in theirs.
/// </summary>
internal sealed class ListenerLog(ILoggerFactory loggers) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => new FromWarningUp(loggers.CreateLogger(categoryName));

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("The providers are the host's own.");

    public void Dispose()
    {
        // The factory belongs to whoever started the host.
    }

    private sealed class FromWarningUp(ILogger logger) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => logger.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning && logger.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                logger.Log(logLevel, eventId, state, exception, formatter);
            }
        }
    }
}
