namespace Baton.DevHost.FunctionsHost.Handler;

/// <summary>What the host does when its handler ended.</summary>
internal enum ExitDecision
{
    /// <summary>Nothing: the handler stays away and every later call fails.</summary>
    StayDown,

    /// <summary>A new handler is started.</summary>
    Restart,

    /// <summary>The whole host shuts down.</summary>
    StopHost,
}

/// <summary>
/// The real host's exit-code rules: 0 is taken for a wish to stay away, 200 for a wish to be restarted, anything else for an error. An error more than 30
/// minutes after the one before starts the count anew; the third ends the host.
/// </summary>
internal sealed class HandlerExitRules
{
    private const int RestartExitCode = 200;
    private const int ErrorsThatStopTheHost = 3;
    private static readonly TimeSpan ForgetAfter = TimeSpan.FromMinutes(30);

    private int _errors;
    private DateTimeOffset _lastError;

    public ExitDecision OnExit(int exitCode, DateTimeOffset now)
    {
        switch (exitCode)
        {
            case 0:
                return ExitDecision.StayDown;
            case RestartExitCode:
                return ExitDecision.Restart;
            default:
                _errors = now - _lastError > ForgetAfter ? 1 : _errors + 1;
                _lastError = now;
                return _errors < ErrorsThatStopTheHost ? ExitDecision.Restart : ExitDecision.StopHost;
        }
    }
}
