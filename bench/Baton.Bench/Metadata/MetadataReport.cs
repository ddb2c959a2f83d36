using System.Globalization;
using Spectre.Console;

namespace Baton.Bench.Metadata;

/// <summary>The tables: both ways to commit beside each other and the raw appends of the same run, and what must be reached.</summary>
internal static class MetadataReport
{
    private const double MostMs = 5;
    private const double MostOfRaw = 1.5;
    private const double LeastPerSecond = 8_000;
    private const double MostRise = 1.3;
    private const double MostLagMs = 50;
    private const double MostForwardMs = 2;
    private const double MostRecoveryMs = 1_000;

    /// <returns>A budget was missed.</returns>
    public static bool Print(MeasuredMode wal, MeasuredMode quorum)
    {
        AnsiConsole.Write(Modes(wal, quorum));
        Console.WriteLine();
        var missed = 0;
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what, with Metadata:Commit = Wal", "measured", "budget", "");
        var (still, far) = (wal.Delays[0], wal.Delays[^1]);
        Add("one client, p50", Samples.Ms(still.Commands.Median), $"< {MostMs} ms", still.Commands.Median < MostMs);
        Add("one client, p50, to the raw append's", Ratio(still.Commands.Median / still.Raw.Median), $"≤ {MostOfRaw}", still.Commands.Median <= MostOfRaw * still.Raw.Median);

        // The delay between nodes is in none of these rows, and the machine's pace in each: they are one thing, measured so many times.
        var middle = wal.Delays.OrderBy(d => d.Many.PerSecond).ElementAt(wal.Delays.Count / 2);
        Add($"64 clients, a command a request, the middle one of {wal.Delays.Count} rows", Rate(middle.Many.PerSecond), $"≥ {LeastPerSecond:N0}/s", middle.Many.PerSecond >= LeastPerSecond);
        Add("  to requests that change nothing, beside it", Ratio(middle.Many.PerSecond / middle.Bare.PerSecond), "", null);
        Add("64 clients, 16 commands a request", Rate(wal.Batched!.PerSecond), "", null);

        // Both beside the raw appends of their moment.
        var rise = far.Commands.Median / far.Raw.Median / (still.Commands.Median / still.Raw.Median);
        Add($"one client, p50 to the raw append's: with {far.DelayMs} ms between the nodes, to that with none", Ratio(rise), $"≤ {MostRise}", rise <= MostRise);
        Add("a follower has it, after the leader's answer, p99", Samples.Ms(wal.Lag!.Lag.Percentile(0.99)), $"≤ {MostLagMs} ms", wal.Lag!.Lag.Percentile(0.99) <= MostLagMs);
        Add("  p50", Samples.Ms(wal.Lag!.Lag.Median), "", null);
        Add($"  not within the read's wait, of {wal.Lag!.Lag.Count}", wal.Lag!.Forwarded.ToString(CultureInfo.InvariantCulture), "0", wal.Lag!.Forwarded == 0);
        Add("forwarded by a follower: p50 above the leader's", Samples.Ms(wal.Forwarded.Median - wal.AtLeader.Median), $"≤ {MostForwardMs} ms", wal.Forwarded.Median - wal.AtLeader.Median <= MostForwardMs);
        if (wal.Recovery is { } recovery)
        {
            Add($"{recovery.Commands:N0} commands: a node has its copy back from snapshot and tail, through LSN {recovery.RecoveredLsn:N0}", Samples.Ms(recovery.RecoveredMs), $"≤ {MostRecoveryMs:N0} ms", recovery.RecoveredMs <= MostRecoveryMs);
            Add("  acknowledged in", Samples.Ms(recovery.Filling.TotalMilliseconds), "", null);
            Add("  SIGKILL of the leader → next command acknowledged at another node", Samples.Ms(recovery.Failover.TotalMilliseconds), "", null);
            Add("  of which the new leader's opening", recovery.OpeningMs is { } ms ? Samples.Ms(ms) : "", "", null);
            Add("  copies that differ", recovery.Differing ?? "none", "none", recovery.Differing is null);
        }

        AnsiConsole.Write(table);
        return missed > 0;

        void Add(string what, string measured, string budget, bool? met)
        {
            missed += met == false ? 1 : 0;
            table.AddRow(what.EscapeMarkup(), measured.EscapeMarkup(), budget, met switch { true => "met", false => "MISSED", null => "" });
        }
    }

    private static Table Modes(MeasuredMode wal, MeasuredMode quorum)
    {
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "between nodes", "Wal", "Quorum", "Quorum / Wal", "raw append beside Wal", "Wal / raw");
        foreach (var (w, q) in wal.Delays.Zip(quorum.Delays))
        {
            foreach (var (name, share) in new[] { ("p50", 0.5), ("p99", 0.99) })
            {
                Row($"one client, {name}", w, w.Commands.Percentile(share), q.Commands.Percentile(share), w.Raw.Percentile(share));
            }

            table.AddRow("64 clients", $"{w.DelayMs} ms", Rate(w.Many.PerSecond), Rate(q.Many.PerSecond), Ratio(q.Many.PerSecond / w.Many.PerSecond), "", "");
            table.AddRow("64 clients, requests that change nothing", $"{w.DelayMs} ms", Rate(w.Bare.PerSecond), Rate(q.Bare.PerSecond), Ratio(q.Bare.PerSecond / w.Bare.PerSecond), "", "");
            Row("64 clients, a request, p50", w, w.Many.Requests.Median, q.Many.Requests.Median, null);
            Row("one client, a new topic, p50", w, w.Creations.Median, q.Creations.Median, null);
        }

        table.AddRow("64 clients, 16 a request", "0 ms", Rate(wal.Batched!.PerSecond), Rate(quorum.Batched!.PerSecond), Ratio(quorum.Batched!.PerSecond / wal.Batched!.PerSecond), "", "");
        foreach (var (name, w, q) in new[] { ("64 clients", wal.Delays[0].Many, quorum.Delays[0].Many), ("64 clients, 16 a request", wal.Batched!, quorum.Batched!) })
        {
            Costs($"{name}: processor time a command, leader", w.LeaderMicroseconds, q.LeaderMicroseconds);
            Costs($"{name}: both followers", w.FollowerMicroseconds, q.FollowerMicroseconds);
            Costs($"{name}: storage", w.StorageMicroseconds, q.StorageMicroseconds);
            Costs($"{name}: clients and links", w.ClientMicroseconds, q.ClientMicroseconds);
        }

        Row("a follower has it, p99", wal.Delays[0], wal.Lag!.Lag.Percentile(0.99), quorum.Lag!.Lag.Percentile(0.99), null);
        Row("forwarded, p50", wal.Delays[0], wal.Forwarded.Median, quorum.Forwarded.Median, null);
        return table;

        void Costs(string what, double w, double q) => table.AddRow(what, "0 ms", Microseconds(w), Microseconds(q), Ratio(q / w), "", "");

        void Row(string what, DelayFigures at, double w, double q, double? raw) =>
            table.AddRow(what, $"{at.DelayMs} ms", Samples.Ms(w), Samples.Ms(q), Ratio(q / w), raw is { } r ? Samples.Ms(r) : "", raw is { } s ? Ratio(w / s) : "");
    }

    private static string Ratio(double ratio) => ratio.ToString("0.00", CultureInfo.InvariantCulture);

    private static string Microseconds(double value) => string.Create(CultureInfo.InvariantCulture, $"{value:0} µs");

    private static string Rate(double perSecond) => string.Create(CultureInfo.InvariantCulture, $"{perSecond:N0}/s");
}
