using System.Globalization;
using System.Text;
using Baton.Storage.Wal;

namespace Baton.WalApp;

/// <summary>Standard output. One line is one write: a process that is killed leaves whole lines, and at most one that does not end with <see cref="EndMark"/>.</summary>
public sealed class Reports(Stream output)
{
    public const string Ready = "ready";
    public const string Opened = "opened";
    public const string Idle = "idle";
    public const string Acknowledged = "ack";
    public const string Fenced = "fenced";
    public const string EndMark = " .";

    private readonly Lock _gate = new();

    /// <summary>Says that an append is durable. Whoever reads this may rely on it.</summary>
    public void Ack(WalAppend append, int writer, long sequence) =>
        Say(string.Create(CultureInfo.InvariantCulture, $"{Acknowledged} {append.FirstLsn} {append.LastLsn} {writer} {sequence}"));

    public void Say(string what)
    {
        var line = Encoding.UTF8.GetBytes($"{what}{EndMark}\n");
        lock (_gate)
        {
            output.Write(line);
            output.Flush();
        }
    }
}
