using System.Diagnostics;

namespace Baton.Bench.Metadata;

/// <summary>Processor time that processes have taken since this was made: what a command costs, whatever else the machine does.</summary>
internal sealed class ProcessorTime(params IReadOnlyList<int> processIds)
{
    private readonly TimeSpan _before = Sum(processIds);

    /// <summary>Microseconds for each of so many things, of all the processes together.</summary>
    public double MicrosecondsEach(double count) => (Sum(processIds) - _before).TotalMicroseconds / count;

    private static TimeSpan Sum(IEnumerable<int> ids) => ids.Aggregate(TimeSpan.Zero, (sum, id) =>
    {
        using var process = Process.GetProcessById(id);
        return sum + process.TotalProcessorTime;
    });
}
