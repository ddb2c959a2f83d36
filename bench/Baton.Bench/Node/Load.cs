using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Frames;

namespace Baton.Bench.Node;

/// <summary>What a run sends.</summary>
/// <param name="Producers">How many at once; each waits for an answer before its next write.</param>
/// <param name="Batch">Messages of a write.</param>
/// <param name="Rate">Messages a second at most; 0 for no limit.</param>
/// <param name="Duration">How long.</param>
/// <param name="FirstProducer">The number of the first producer: a producer's sequences begin once.</param>
internal sealed record LoadPlan(int Producers, int Batch, int Rate, TimeSpan Duration, int FirstProducer = 0);

/// <summary>Idempotent producers over HTTP, spread over the channels. A write is sent until it is acknowledged, always with the same sequence.</summary>
internal sealed class Load(LoadPlan plan, IReadOnlyList<Uri> channels, string secret) : IDisposable
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(30);
    private const int MaxAttempts = 100;

    private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = plan.Producers, PooledConnectionLifetime = Timeout.InfiniteTimeSpan }) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly long[] _acknowledged = new long[plan.Producers];
    private readonly long[] _lastLsn = new long[channels.Count];
    private readonly Samples[] _times = [.. Enumerable.Range(0, plan.Producers).Select(_ => new Samples())];
    private long _messages;
    private int _repeats;
    private volatile bool _stopped;

    /// <summary>Messages acknowledged so far.</summary>
    public long Messages => Volatile.Read(ref _messages);

    /// <summary>Writes that were sent again: refused for the time being, or without an answer.</summary>
    public int Repeats => Volatile.Read(ref _repeats);

    /// <summary>Writes of a producer that were acknowledged: sequences from 1.</summary>
    public long Acknowledged(int producer) => Volatile.Read(ref _acknowledged[producer]);

    /// <summary>The channel of a producer.</summary>
    public int ChannelOf(int producer) => producer % channels.Count;

    /// <summary>The highest LSN that a channel has acknowledged.</summary>
    public long LastLsn(int channel) => Volatile.Read(ref _lastLsn[channel]);

    /// <summary>Times of all requests that were acknowledged, in milliseconds.</summary>
    public Samples Times()
    {
        var all = new Samples();
        foreach (var times in _times)
        {
            all.AddAll(times);
        }

        return all;
    }

    /// <summary>No more writes: those under way are finished.</summary>
    public void Stop() => _stopped = true;

    public Task RunAsync(CancellationToken ct)
    {
        var clock = Stopwatch.StartNew();
        return Task.WhenAll(Enumerable.Range(0, plan.Producers).Select(producer => Task.Run(() => ProduceAsync(producer, clock, ct), ct)));
    }

    public void Dispose() => _http.Dispose();

    private async Task ProduceAsync(int producer, Stopwatch clock, CancellationToken ct)
    {
        var (messages, channel) = (new LoadMessages(plan.FirstProducer + producer, plan.Batch), ChannelOf(producer));
        for (var sequence = 1L; clock.Elapsed < plan.Duration && !_stopped; sequence++)
        {
            await WaitForTurnAsync(producer, sequence, clock, ct);
            var body = messages.Body(sequence);
            var started = Stopwatch.GetTimestamp();
            var answer = await WriteAsync(channel, body, ct);
            _times[producer].Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            if (answer.LastLsn - answer.FirstLsn + 1 != plan.Batch)
            {
                throw new InvalidDataException($"producer {producer}, sequence {sequence}: {plan.Batch} messages were acknowledged as LSN {answer.FirstLsn} to {answer.LastLsn}");
            }

            Volatile.Write(ref _acknowledged[producer], sequence);
            Interlocked.Add(ref _messages, plan.Batch);
            Raise(ref _lastLsn[channel], answer.LastLsn);
        }
    }

    // Writes are due in turn, evenly; who is late goes on at once, and does not make up for more than its own next write.
    private async Task WaitForTurnAsync(int producer, long sequence, Stopwatch clock, CancellationToken ct)
    {
        if (plan.Rate > 0)
        {
            var due = TimeSpan.FromSeconds((((sequence - 1) * plan.Producers) + producer) * (double)plan.Batch / plan.Rate);
            if (due > clock.Elapsed)
            {
                await Task.Delay(due - clock.Elapsed, ct);
            }
        }
    }

    private async Task<AppendResponse> WriteAsync(int channel, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(RequestTimeout);
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, channels[channel]) { Content = new ReadOnlyMemoryContent(body) };
                request.Content.Headers.ContentType = new MediaTypeHeaderValue(AppendFrames.MediaType);
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secret);
                using var response = await _http.SendAsync(request, limit.Token);
                var answer = await response.Content.ReadAsByteArrayAsync(limit.Token);
                if (response.IsSuccessStatusCode)
                {
                    return JsonSerializer.Deserialize<AppendResponse>(answer, BatonJson.Options)!;
                }

                // Misdirected: on a machine that is too busy to beat, the node loses its channel for a moment and gets it back at a higher term.
                if (response.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable or HttpStatusCode.MisdirectedRequest) || attempt == MaxAttempts)
                {
                    throw new InvalidDataException($"{channels[channel]} answered {(int)response.StatusCode}: {System.Text.Encoding.UTF8.GetString(answer)}");
                }
            }
            catch (Exception e) when (attempt < MaxAttempts && !ct.IsCancellationRequested && (e is HttpRequestException or OperationCanceledException))
            {
                // Nobody knows whether it was written: the same sequence again finds out.
            }

            Interlocked.Increment(ref _repeats);
            await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(1_000, 10 * attempt)), ct);
        }
    }

    private static void Raise(ref long value, long to)
    {
        for (var seen = Volatile.Read(ref value); seen < to;)
        {
            seen = Interlocked.CompareExchange(ref value, to, seen) is var now && now == seen ? to : now;
        }
    }
}
