using Baton.Core.Wal;
using Baton.Storage.Wal;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;

namespace Baton.Bench.Wal;

/// <summary>The append path without a storage service: one append a record, until a batch is taken with its header and checksum. By BenchmarkDotNet, which counts allocated bytes as well.</summary>
public class Framing
{
    /// <summary>Bytes of a record's payload.</summary>
    public const int PayloadBytes = 1024;

    private const int RecordsPerBatch = 2_048;
    private readonly WalRecord[] _append = [new() { Type = WalRecordType.Message, TimeTick = 1, Payload = new byte[PayloadBytes] }];
    private readonly byte[] _source = new byte[PayloadBytes];
    private readonly byte[] _target = new byte[RecordsPerBatch * PayloadBytes];
    private readonly int _sizeBytes;
    private readonly WalAppendQueue _queue = new("bench", new WalOptions(), TimeProvider.System, 1);

    public Framing() => _sizeBytes = WalBatchCodec.RecordSize(_append[0]);

    [Benchmark(OperationsPerInvoke = RecordsPerBatch)]
    public uint Baton()
    {
        for (var i = 0; i < RecordsPerBatch; i++)
        {
            _queue.Append(_append, _sizeBytes, out _);
        }

        _queue.TryTake(out var batch, out _);
        var first = batch!.Complete().Span[4];
        _queue.Settled(batch);
        batch.Release();
        return first;
    }

    [Benchmark(OperationsPerInvoke = RecordsPerBatch, Baseline = true)]
    public uint Raw()
    {
        for (var i = 0; i < RecordsPerBatch; i++)
        {
            _source.CopyTo(_target, i * PayloadBytes);
        }

        return Crc32C.Compute(_target);
    }

    /// <summary>Bytes a second of payload, and bytes allocated a record, of the append path and of a copy with a checksum.</summary>
    internal static (FramingResult Baton, FramingResult Raw) Measure()
    {
        var artifacts = Path.Combine(Path.GetTempPath(), $"baton-bench-{Guid.NewGuid():N}");
        var config = ManualConfig.CreateEmpty()
            .AddJob(Job.ShortRun.WithToolchain(InProcessNoEmitToolchain.Instance))
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddLogger(NullLogger.Instance)
            .WithArtifactsPath(artifacts)
            .WithOptions(ConfigOptions.DisableOptimizationsValidator);
        var summary = BenchmarkRunner.Run<Framing>(config);
        if (Directory.Exists(artifacts))
        {
            Directory.Delete(artifacts, recursive: true);
        }

        return (Result(summary, nameof(Baton)), Result(summary, nameof(Raw)));
    }

    private static FramingResult Result(Summary summary, string method)
    {
        var report = summary.Reports.Single(r => string.Equals(r.BenchmarkCase.Descriptor.WorkloadMethod.Name, method, StringComparison.Ordinal));
        var statistics = report.ResultStatistics ?? throw new InvalidOperationException($"The benchmark '{method}' did not run.");
        var allocated = report.GcStats.GetTotalAllocatedBytes(excludeAllocationQuantumSideEffects: true) ?? throw new InvalidOperationException("Allocations were not counted.");
        return new FramingResult(PayloadBytes / statistics.Median * 1e9, (double)allocated / report.GcStats.TotalOperations);
    }
}

/// <summary>What the framing benchmark found.</summary>
/// <param name="BytesPerSecond">Payload, one core.</param>
/// <param name="AllocatedPerRecord">Bytes; what a batch allocates, shared out among its records.</param>
internal sealed record FramingResult(double BytesPerSecond, double AllocatedPerRecord);
