namespace Baton.DevHost.Processes;

/// <summary>The pipe on standard input as a sign of life: it ends with the process that holds its other end, however that process died.</summary>
internal static class Lifeline
{
    /// <summary>Set to <c>true</c> for a process that shall end with the one that started it.</summary>
    public const string Variable = "ExitWhenStdinCloses";

    /// <summary>A token that is cancelled when standard input ends, if the environment asks for it; else one that never is.</summary>
    public static CancellationToken Watch()
    {
        return string.Equals(Environment.GetEnvironmentVariable(Variable), "true", StringComparison.OrdinalIgnoreCase) ? ParentGone() : CancellationToken.None;
    }

    /// <summary>A token that is cancelled when standard input ends.</summary>
    /// <param name="onLine">Gets what the parent says over it, line by line; null where it has nothing to say.</param>
    public static CancellationToken ParentGone(Action<string>? onLine = null)
    {
        // Owned by the process: it lives as long as the process does.
        var ended = new CancellationTokenSource();
        var reader = new Thread(() =>
        {
            using var input = new StreamReader(Console.OpenStandardInput());
            while (input.ReadLine() is { } line)
            {
                onLine?.Invoke(line);
            }

            ended.Cancel();
        })
        {
            IsBackground = true,
            Name = "lifeline",
        };
        reader.Start();
        return ended.Token;
    }
}
