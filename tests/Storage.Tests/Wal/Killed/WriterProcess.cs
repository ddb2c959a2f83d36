using System.Diagnostics;
using System.Globalization;
using Baton.WalApp;

namespace Baton.KilledWriters;

/// <summary>Writers in a process of their own, whose life is in the test's hand. It ends with the test: its standard input does.</summary>
internal sealed class WriterProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<Acknowledged> _onAck;
    private readonly List<string> _said = [];
    private readonly Task _output;
    private readonly Task<string> _errors;
    private int _idles;

    private WriterProcess(WriterOptions options, Process process, Action<Acknowledged> onAck)
    {
        (Options, _process, _onAck) = (options, process, onAck);
        _errors = process.StandardError.ReadToEndAsync();
        _output = ListenAsync();
    }

    /// <summary>What it was told.</summary>
    public WriterOptions Options { get; }

    public int Id => _process.Id;

    /// <summary>It has the channel.</summary>
    public bool HasOpened => _opened.Task.IsCompletedSuccessfully;

    /// <summary>Its exit code, once it has ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>What it said besides acknowledgements.</summary>
    public IReadOnlyList<string> Said
    {
        get
        {
            lock (_said)
            {
                return [.. _said];
            }
        }
    }

    /// <summary>How many rounds it has finished.</summary>
    public int Idles => Volatile.Read(ref _idles);

    /// <summary>Starts it. It opens nothing before <see cref="GoAsync"/>.</summary>
    /// <param name="options">What to write.</param>
    /// <param name="connectionString">Where.</param>
    /// <param name="onAck">Gets each acknowledgement, one at a time, also those that are found after its death.</param>
    public static WriterProcess Start(WriterOptions options, string connectionString, Action<Acknowledged> onAck)
    {
        var info = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Baton.WalApp"), options.Arguments())
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var process = Process.Start(info) ?? throw new InvalidOperationException($"{info.FileName} did not start.");
        process.StandardInput.WriteLine(connectionString);
        process.StandardInput.Flush();
        return new WriterProcess(options, process, onAck);
    }

    /// <summary>Waits until it could open at once.</summary>
    public Task ReadyAsync() => AwaitAsync(_ready.Task, Reports.Ready);

    /// <summary>Waits until it has the channel.</summary>
    public Task OpenedAsync() => AwaitAsync(_opened.Task, Reports.Opened);

    /// <summary>Lets it open the channel, or append once more.</summary>
    public async Task GoAsync()
    {
        await _process.StandardInput.WriteLineAsync("go");
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>SIGKILL. Returns when it is gone and all that it said has been heard.</summary>
    public Task KillAsync()
    {
        _process.Kill();
        return EndedAsync();
    }

    /// <summary>Stops it where it is (SIGSTOP), and waits until the system says so.</summary>
    public async Task PauseAsync()
    {
        await SignalAsync("STOP");
        await WriterConditions.UntilAsync(() => State() == 'T', $"process {Id} to be stopped");
    }

    /// <summary>Lets it go on (SIGCONT).</summary>
    public Task ContinueAsync() => SignalAsync("CONT");

    /// <summary>Waits until it has ended, and all that it said has been heard.</summary>
    public async Task EndedAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Patience);
        await _output.WaitAsync(Patience);
    }

    public async ValueTask DisposeAsync()
    {
        // A stopped process does not see its input end, but it does not survive this.
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        await Task.WhenAny(_ready.Task, _opened.Task, _output);
        _process.Dispose();
    }

    /// <summary>Throws what it said on its error output, if it ended although nobody wanted it to.</summary>
    private async Task AwaitAsync(Task what, string name)
    {
        if (await Task.WhenAny(what, _output).WaitAsync(Patience) != what && !what.IsCompleted)
        {
            throw new InvalidOperationException($"Term {Options.Term}: no '{name}'. It said: {string.Join('|', Said)}. Errors: {await _errors}");
        }
    }

    private char State()
    {
        // "pid (name) state …"; the name may hold spaces and parentheses.
        var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{Id}/stat"));
        return stat[stat.LastIndexOf(')') + 2];
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    private async Task ListenAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            // The last line of a killed process may be torn: nothing was promised by it.
            if (line.EndsWith(Reports.EndMark, StringComparison.Ordinal))
            {
                Hear(line[..^Reports.EndMark.Length].Split(' '));
            }
        }
    }

    private void Hear(string[] words)
    {
        switch (words)
        {
            case [Reports.Acknowledged, var first, var last, var writer, var sequence]:
                _onAck(new Acknowledged(Number(first), Number(last), (int)Number(writer), Number(sequence)));
                return;
            case [Reports.Ready]:
                _ready.TrySetResult();
                break;
            case [Reports.Opened]:
                _opened.TrySetResult();
                break;
            case [Reports.Idle]:
                Interlocked.Increment(ref _idles);
                break;
        }

        lock (_said)
        {
            _said.Add(string.Join(' ', words));
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}

/// <summary>An append that a writer was told is durable.</summary>
internal sealed record Acknowledged(long FirstLsn, long LastLsn, int Writer, long Sequence);
