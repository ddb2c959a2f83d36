using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;

namespace Baton.DevHost.Processes;

/// <summary>What to start.</summary>
/// <param name="Name">For messages and log lines.</param>
/// <param name="FileName">The program.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="WorkingDirectory">Where it starts.</param>
/// <param name="Environment">Set on top of the inherited environment.</param>
/// <param name="OnLine">Gets each line of its output.</param>
/// <param name="OnErrorLine">Gets each line of its error output; null sends those to <paramref name="OnLine"/> as well.</param>
public sealed record ChildProcessStart(
    string Name,
    string FileName,
    IReadOnlyList<string> Arguments,
    string? WorkingDirectory = null,
    IReadOnlyDictionary<string, string>? Environment = null,
    Action<string>? OnLine = null,
    Action<string>? OnErrorLine = null);

/// <summary>
/// A process that never outlives this one: its standard input is a pipe that ends when this process ends, and every program that DevHost starts
/// exits when that happens. Dispose stops it in order, and kills it when it does not follow.
/// </summary>
public sealed class ChildProcess : IAsyncDisposable
{
    private const int KeptLines = 200;
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan OutputGrace = TimeSpan.FromSeconds(2);

    private readonly ConcurrentQueue<string> _lastLines = new();
    private readonly Channel<string> _lines = Channel.CreateBounded<string>(new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
    private readonly Process _process;
    private readonly Task _output;
    private volatile bool _frozen;

    private ChildProcess(string name, Process process, Action<string>? onLine, Action<string>? onErrorLine)
    {
        Name = name;
        _process = process;
        Id = process.Id;
        _output = Task.WhenAll(PumpAsync(process.StandardOutput, onLine), PumpAsync(process.StandardError, onErrorLine))
            .ContinueWith(_ => _lines.Writer.TryComplete(), TaskScheduler.Default);
    }

    /// <summary>For messages.</summary>
    public string Name { get; }

    /// <summary>The operating system's id.</summary>
    public int Id { get; }

    /// <summary>It has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Its exit code, once it has ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Starts a process.</summary>
    /// <exception cref="InvalidOperationException">The program cannot be started; the message says which.</exception>
    public static ChildProcess Start(ChildProcessStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        var info = new ProcessStartInfo(start.FileName)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = start.WorkingDirectory ?? string.Empty,
        };
        foreach (var argument in start.Arguments)
        {
            info.ArgumentList.Add(argument);
        }

        foreach (var (key, value) in start.Environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            info.Environment[key] = value;
        }

        Process process;
        try
        {
            process = Process.Start(info) ?? throw new InvalidOperationException($"{start.Name}: {start.FileName} did not start.");
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException($"{start.Name}: '{start.FileName}' cannot be started: {e.Message}. Is it installed and on the PATH?", e);
        }

        return new ChildProcess(start.Name, process, start.OnLine, start.OnErrorLine ?? start.OnLine);
    }

    /// <summary>Waits for the first line of output that <paramref name="isIt"/> accepts.</summary>
    /// <exception cref="InvalidOperationException">The process ended first; the message holds its last lines.</exception>
    /// <exception cref="TimeoutException">It did not come within <paramref name="timeout"/>.</exception>
    public async Task<string> WaitForLineAsync(Func<string, bool> isIt, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(timeout);
        try
        {
            await foreach (var line in _lines.Reader.ReadAllAsync(deadline.Token))
            {
                if (isIt(line))
                {
                    return line;
                }
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{Name} was not ready within {timeout.TotalSeconds:0} s. Its last output:\n{LastLines()}", e);
        }

        throw new InvalidOperationException($"{Name} ended before it was ready. Its last output:\n{LastLines()}");
    }

    /// <summary>Writes a line to its standard input.</summary>
    public async Task SayAsync(string line, CancellationToken cancellationToken)
    {
        await _process.StandardInput.WriteLineAsync(line.AsMemory(), cancellationToken);
        await _process.StandardInput.FlushAsync(cancellationToken);
    }

    /// <summary>Completes when the process has ended, and all that it printed has been read.</summary>
    public async Task WaitForExitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);

        // Bounded: what it started may hold its output open.
        await Task.WhenAny(_output, Task.Delay(OutputGrace, cancellationToken));
    }

    /// <summary>SIGKILL to the process and everything it started, and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
    }

    /// <summary>SIGKILL to the process alone, at once: looking for what it started takes a while, in which it stands still. Waits until it is gone.</summary>
    public async Task KillAloneAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, as a supervisor sends it, or the end of standard input where there are no signals. Does not wait.</summary>
    public async Task TerminateAsync(CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows())
        {
            _process.StandardInput.Close();
            return;
        }

        await SignalAsync("TERM", cancellationToken);
    }

    /// <summary>SIGSTOP: the process keeps what it has, connections included, and does nothing until <see cref="ThawAsync"/>.</summary>
    /// <exception cref="PlatformNotSupportedException">There are no signals.</exception>
    public async Task FreezeAsync(CancellationToken cancellationToken)
    {
        _frozen = true;
        await SignalAsync("STOP", cancellationToken);
    }

    /// <summary>SIGCONT: the process goes on where it was.</summary>
    /// <exception cref="PlatformNotSupportedException">There are no signals.</exception>
    public async Task ThawAsync(CancellationToken cancellationToken)
    {
        await SignalAsync("CONT", cancellationToken);
        _frozen = false;
    }

    /// <summary>Asks the process to stop by ending its standard input, and kills it when it has not after ten seconds.</summary>
    public async Task StopAsync()
    {
        if (_frozen)
        {
            // It would not notice that it is asked.
            await KillAsync();
        }
        else if (!_process.HasExited)
        {
            try
            {
                _process.StandardInput.Close();
            }
            catch (IOException)
            {
                // The reader is gone already, which is what was wanted.
            }

            using var grace = new CancellationTokenSource(StopGrace);
            try
            {
                await _process.WaitForExitAsync(grace.Token);
            }
            catch (OperationCanceledException)
            {
                await KillAsync();
            }
        }
    }

    /// <summary>The last lines it printed.</summary>
    public string LastLines() => string.Join('\n', _lastLines);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();

        // What the process left running may hold its output open for as long as it likes.
        await Task.WhenAny(_output, Task.Delay(OutputGrace));
        _process.Dispose();
    }

    private async Task SignalAsync(string signal, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException($"There is no SIG{signal} on Windows.");
        }

        // .NET can send no signal but SIGKILL by itself.
        using var kill = Process.Start("kill", [$"-{signal}", Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(cancellationToken);
    }

    private async Task PumpAsync(StreamReader reader, Action<string>? onLine)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            _lastLines.Enqueue(line);
            while (_lastLines.Count > KeptLines)
            {
                _lastLines.TryDequeue(out _);
            }

            _lines.Writer.TryWrite(line);
            onLine?.Invoke(line);
        }
    }
}
