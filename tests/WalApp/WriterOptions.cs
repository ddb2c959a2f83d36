using System.Globalization;

namespace Baton.WalApp;

/// <summary>The command line. The connection string is the first line of standard input: arguments are for everybody to see.</summary>
/// <param name="Channel">Which channel.</param>
/// <param name="Term">Under which term.</param>
/// <param name="Writers">How many append at once.</param>
/// <param name="Appends">How many appends a writer makes for each <c>go</c>; 0 for no end.</param>
/// <param name="SegmentBlocks">When a segment is rolled.</param>
/// <param name="Seed">Makes counts and sizes.</param>
public sealed record WriterOptions(string Channel, long Term, int Writers, int Appends, int SegmentBlocks, int Seed)
{
    /// <summary>The arguments that stand for this.</summary>
    public IReadOnlyList<string> Arguments() =>
        ["write", Channel, Text(Term), Text(Writers), Text(Appends), Text(SegmentBlocks), Text(Seed)];

    /// <summary>What <see cref="Arguments"/> stands for.</summary>
    public static WriterOptions Parse(IReadOnlyList<string> arguments) => arguments is ["write", var channel, var term, var writers, var appends, var blocks, var seed]
        ? new WriterOptions(channel, Number(term), Number(writers), Number(appends), Number(blocks), Number(seed))
        : throw new ArgumentException("Usage: write <channel> <term> <writers> <appends> <segment blocks> <seed>", nameof(arguments));

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
