using System.Globalization;
using Baton.Core.Wal;
using Baton.Storage;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.WalApp;

/// <summary>Opens a channel and appends to it until it is told to end, is fenced, or dies.</summary>
public sealed class Writers(WriterOptions options, Reports reports, TextReader commands)
{
    public const int FencedExitCode = 3;
    public const int FaultedExitCode = 4;
    public const int RefusedExitCode = 5;
    private const int LargestFiller = 8 * 1024;
    private const int WarmUpAppends = 5;

    private readonly int[] _appended = new int[options.Writers];

    /// <summary>The whole life of the process. Returns its exit code.</summary>
    public async Task<int> RunAsync()
    {
        var connectionString = await commands.ReadLineAsync() ?? throw new InvalidOperationException("The connection string comes first, on standard input.");
        var store = new WalStore(
            BatonStorage.Open(new StorageOptions { ConnectionString = connectionString }),
            new WalOptions { MaxSegmentBlocks = options.SegmentBlocks },
            TimeProvider.System,
            NullLoggerFactory.Instance);
        await WarmUpAsync(store);
        reports.Say(Reports.Ready);
        if (await commands.ReadLineAsync() is null)
        {
            return 0;
        }

        try
        {
            var writer = await store.OpenAsync(options.Channel, options.Term, "wal-app", null, CancellationToken.None);
            reports.Say(Reports.Opened);
            return await ObeyAsync(writer);
        }
        catch (WalFencedException)
        {
            reports.Say(string.Create(CultureInfo.InvariantCulture, $"{Reports.Fenced} {options.Channel} {options.Term}"));
            return FencedExitCode;
        }
        catch (WalTermRefusedException refused)
        {
            await Console.Error.WriteLineAsync(refused.Message);
            return RefusedExitCode;
        }
        catch (WalFaultedException fault)
        {
            await Console.Error.WriteLineAsync(fault.ToString());
            return FaultedExitCode;
        }
    }

    // Code is compiled and connections are open before the moment that counts. Nobody else knows the channel.
    private async Task WarmUpAsync(WalStore store)
    {
        var channel = $"warm-{Guid.NewGuid():N}";
        await using var writer = await store.OpenAsync(channel, 1, "wal-app", null, CancellationToken.None);
        for (var i = 0; i < Math.Min(options.SegmentBlocks, WarmUpAppends); i++)
        {
            await writer.Append([new ProofRecord(0, 0, i, 1, 16).Encode()]).Durable;
        }
    }

    // Each line on standard input is a go; its end is the end.
    private async Task<int> ObeyAsync(WalWriter writer)
    {
        Task<string?> next;
        do
        {
            var work = Task.WhenAll(Enumerable.Range(0, options.Writers).Select(n => Task.Run(() => WriteAsync(writer, n))));
            next = commands.ReadLineAsync();
            if (await Task.WhenAny(work, next) == work || await next is not null)
            {
                await work;
                reports.Say(Reports.Idle);
            }
        }
        while (await next is not null);
        return 0;
    }

#pragma warning disable CA5394 // Counts and sizes must be drawn again from their seed.
    private async Task WriteAsync(WalWriter writer, int number)
    {
        var random = new Random(HashCode(options.Seed, (int)options.Term, number));
        var fenced = false;
        for (var made = 0; options.Appends == 0 || made < options.Appends;)
        {
            // A few at once, as a busy producer does.
            var burst = Enumerable.Range(0, Math.Min(random.Next(1, 4), options.Appends == 0 ? int.MaxValue : options.Appends - made)).Select(_ => Begin(writer, number, random)).ToList();
            foreach (var (append, sequence) in burst)
            {
                try
                {
                    await append.Durable;
                    reports.Ack(append, number, sequence);
                }
                catch (WalFencedException)
                {
                    fenced = true;
                }
            }

            made += burst.Count;
            if (fenced)
            {
                await ProveFencedAsync(writer, number, random);
            }
        }
    }

    private (WalAppend Append, long Sequence) Begin(WalWriter writer, int number, Random random)
    {
        var sequence = ProofRecord.SequenceOf(options.Term, ++_appended[number]);
        var count = random.Next(3) == 0 ? random.Next(2, 9) : 1;
        var records = new WalRecord[count];
        for (var i = 0; i < count; i++)
        {
            // Mostly small, at times large, at times nothing.
            var filler = random.Next(8) switch
            {
                0 => 0,
                1 => random.Next(LargestFiller + 1),
                _ => random.Next(256),
            };
            records[i] = new ProofRecord(number, sequence, i, count, filler).Encode();
        }

        return (writer.Append(records), sequence);
    }

    // Once fenced, for ever fenced: no later attempt gets through.
    private async Task ProveFencedAsync(WalWriter writer, int number, Random random)
    {
        for (var attempt = 0; attempt < 3; attempt++)
        {
            try
            {
                var (append, sequence) = Begin(writer, number, random);
                await append.Durable;
                reports.Ack(append, number, sequence);
                throw new InvalidOperationException("A fenced writer has appended.");
            }
            catch (WalFencedException) when (attempt < 2)
            {
                // As it must be. The last one ends the process.
            }
        }
    }
#pragma warning restore CA5394

    private static int HashCode(int seed, int term, int number) => unchecked((((seed * 397) ^ term) * 397) ^ number);
}
