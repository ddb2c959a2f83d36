using System.Text;
using Microsoft.Win32.SafeHandles;
using Spectre.Console;

namespace Baton.Cli.Text;

/// <summary>Standard output: colours where somebody watches, plain wide lines where it goes to a file or a program.</summary>
internal sealed class Output : IDisposable
{
    private const int RedirectedWidth = 200;
    private readonly StreamWriter _writer;

    private Output(StreamWriter writer)
    {
        _writer = writer;
        var redirected = System.Console.IsOutputRedirected;
        Console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = InteractionSupport.No,
        });
        if (redirected)
        {
            Console.Profile.Width = RedirectedWidth;
        }
    }

    /// <summary>For tables.</summary>
    public IAnsiConsole Console { get; }

    /// <summary>Runs <paramref name="print"/> with the output; when whoever reads it has gone (<c>| head</c>), that is the end, and no failure.</summary>
    /// <param name="print">Prints, and returns the exit code.</param>
    /// <param name="codeWhenCut">The exit code by what was printed until then.</param>
    public static async Task<int> ToAsync(Func<Output, Task<int>> print, Func<int> codeWhenCut)
    {
        try
        {
            using var output = new Output(new StreamWriter(Open(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 16 * 1024));
            var code = await print(output);
            await output._writer.FlushAsync();
            return code;
        }
        catch (BrokenOutputException)
        {
            return codeWhenCut();
        }
    }

    /// <summary>One line, as it is: escape first what others chose.</summary>
    public void Line(string text) => _writer.WriteLine(text);

    /// <summary>Lets a watcher see what there is so far.</summary>
    public void Flush() => _writer.Flush();

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            _writer.Dispose();
        }
        catch (BrokenOutputException)
        {
            // Told before, or nobody is left to tell.
        }
    }

    // The console's own stream says nothing when a pipe is closed, and a dump would go on reading a whole log for nobody. A file cannot be closed by its reader, and
    // must be written through the console's stream, which shares its position with the programs before and after this one.
    private static Stream Open()
    {
        if (!OperatingSystem.IsWindows() && System.Console.IsOutputRedirected)
        {
            var raw = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            if (!raw.CanSeek)
            {
                return new PipeStream(raw);
            }

            raw.Dispose();
        }

        return System.Console.OpenStandardOutput();
    }

    private sealed class BrokenOutputException(IOException cause) : IOException("Nobody reads the output any more.", cause);

    /// <summary>Tells a broken pipe from every other failure.</summary>
    private sealed class PipeStream(FileStream pipe) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
            // Nothing is kept here.
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            try
            {
                pipe.Write(buffer);
            }
            catch (IOException failure)
            {
                throw new BrokenOutputException(failure);
            }
        }
    }
}
