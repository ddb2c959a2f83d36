using Microsoft.Extensions.Logging;

namespace Baton.Durable;

/// <summary>A logger that is silent while the orchestration is replayed.</summary>
/// <remarks>The logger's own code runs outside the turn: what it begins and awaits is no concern of the orchestrator.</remarks>
internal sealed class ReplaySafeLogger(TaskOrchestrationContext context, ILogger logger) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => logger.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel) => !context.IsReplaying && logger.IsEnabled(logLevel);

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            SynchronizationContext? turn = SynchronizationContext.Current;
            SynchronizationContext.SetSynchronizationContext(null);
            try
            {
                logger.Log(logLevel, eventId, state, exception, formatter);
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(turn);
            }
        }
    }
}

/// <summary>Makes loggers that are silent while the orchestration is replayed; the factory behind it stays its owner's.</summary>
internal sealed class ReplaySafeLoggerFactory(TaskOrchestrationContext context, ILoggerFactory loggers) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => new ReplaySafeLogger(context, loggers.CreateLogger(categoryName));

    public void AddProvider(ILoggerProvider provider) => loggers.AddProvider(provider);

    public void Dispose()
    {
    }
}
