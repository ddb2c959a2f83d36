using System.Buffers.Binary;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Edge.Connections;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Replicas.Feed;

/// <summary>A follower's calls to its leader. One attempt each, all bounded.</summary>
internal sealed class FeedClient(HttpClient http, IOptions<NodeSettings> node, IOptions<ClusterSettings> cluster, IOptions<FollowSettings> settings, TimeProvider time)
{
    private readonly TimeSpan _silence = TimeSpan.FromMilliseconds(settings.Value.SilenceMs);

    /// <summary>Subscribes to a channel at the assignment's term.</summary>
    /// <exception cref="FeedException">There is no such leader, or none at that term.</exception>
    public async Task<FeedStream> OpenAsync(Assignment assignment, CancellationToken ct)
    {
        var mode = assignment.Mode == ReplicaMode.Async ? "async" : "sync";
        var path = string.Create(CultureInfo.InvariantCulture, $"channels/{assignment.Channel}/feed?term={assignment.Term}&replica={node.Value.Id}&mode={mode}");
        using var limit = Limit(ct);
        HttpResponseMessage? answer = null;
        try
        {
            using var request = Request(HttpMethod.Get, assignment, path);
            answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (!answer.IsSuccessStatusCode)
            {
                throw new FeedException($"the leader answered {(int)answer.StatusCode}");
            }

            var stream = new FeedStream(answer, await answer.Content.ReadAsStreamAsync(limit.Token), _silence, time);
            answer = null;
            await stream.BeginAsync(assignment.Term, ct);
            return stream;
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new FeedException($"the leader cannot be reached: {e.Message}", e);
        }
        finally
        {
            answer?.Dispose();
        }
    }

    /// <summary>Tells the leader how far this replica is.</summary>
    /// <exception cref="FeedException">It did not take it.</exception>
    public async Task ReportAsync(Assignment assignment, long flushedLsn, CancellationToken ct)
    {
        using var limit = Limit(ct);
        try
        {
            using var request = Request(HttpMethod.Post, assignment, $"channels/{assignment.Channel}/replicas/{node.Value.Id}");
            request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(new ReplicaProgressRequest(assignment.Term, flushedLsn), BatonJson.Options));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var answer = await http.SendAsync(request, limit.Token);
            if (!answer.IsSuccessStatusCode)
            {
                throw new FeedException($"the leader answered {(int)answer.StatusCode} to a report of progress");
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new FeedException($"the leader cannot be reached: {e.Message}", e);
        }
    }

    private CancellationTokenSource Limit(CancellationToken ct)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(_silence);
        return limit;
    }

    private HttpRequestMessage Request(HttpMethod method, Assignment assignment, string path) =>
        new HttpRequestMessage(method, new Uri(assignment.LeaderEndpoint!.AsFolder(), path)) { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", cluster.Value.Secret) } };
}

/// <summary>An open feed. One reader.</summary>
internal sealed class FeedStream : IAsyncDisposable
{
    private readonly HttpResponseMessage _answer;
    private readonly Stream _body;
    private readonly TimeSpan _silence;
    private readonly CancellationTokenSource _silent;
    private readonly byte[] _header = new byte[FeedFrame.HeaderSizeBytes];

    public FeedStream(HttpResponseMessage answer, Stream body, TimeSpan silence, TimeProvider time) =>
        (_answer, _body, _silence, _silent) = (answer, body, silence, new CancellationTokenSource(Timeout.InfiniteTimeSpan, time));

    /// <summary>What the leader said first.</summary>
    public FeedStart Start { get; private set; }

    /// <summary>Reads the start.</summary>
    /// <exception cref="FeedException">It is something else, or of another term.</exception>
    public async Task BeginAsync(long term, CancellationToken ct)
    {
        try
        {
            var (kind, payload) = await ReadAsync(ct) ?? throw new FeedException("the leader ended the stream before it began");
            Start = kind == FeedFrameKind.Start ? FeedFrame.ReadStart(payload) : throw new FeedException($"the stream begins with a frame of kind {kind}");
            if (Start.Term != term)
            {
                throw new FeedException($"the leader leads at term {Start.Term}, not {term}");
            }
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    /// <summary>Hands on what comes until the stream is over, for whatever reason. Never fails.</summary>
    public async Task ReadIntoAsync(FeedBuffer buffer, CancellationToken ct)
    {
        // Off the caller's thread from the first line on.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            while (await ReadAsync(ct) is var (kind, payload))
            {
                switch (kind)
                {
                    case FeedFrameKind.Batch:
                        buffer.Add(payload);
                        break;
                    case FeedFrameKind.Durable:
                        buffer.Durable(BinaryPrimitives.ReadInt64LittleEndian(payload));
                        break;
                    case FeedFrameKind.Idle:
                        break;
                    default:
                        throw new FeedException("the leader began the stream twice");
                }
            }

            buffer.End(null);
        }
        catch (Exception e)
        {
            buffer.End(e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _body.DisposeAsync();
        _answer.Dispose();
        _silent.Dispose();
    }

    /// <summary>The next frame, or null where the stream ends between two.</summary>
    /// <exception cref="FeedException">It broke, or fell silent.</exception>
    private async Task<(FeedFrameKind Kind, byte[] Payload)?> ReadAsync(CancellationToken ct)
    {
        await using var stop = ct.Register(_silent.Cancel);
        try
        {
            var got = await FillAsync(_header);
            if (got < _header.Length)
            {
                return got == 0 ? null : throw new FeedException("the stream ends inside a frame");
            }

            var (kind, length) = FeedFrame.ReadHeader(_header);
            var payload = length == 0 ? [] : GC.AllocateUninitializedArray<byte>(length);
            return await FillAsync(payload) == length ? (kind, payload) : throw new FeedException("the stream ends inside a frame");
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new FeedException($"the stream broke: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new FeedException($"the leader has said nothing for {_silence.TotalMilliseconds} ms", e);
        }
    }

    private async ValueTask<int> FillAsync(Memory<byte> target)
    {
        var filled = 0;
        while (filled < target.Length)
        {
            _silent.CancelAfter(_silence);
            var read = await _body.ReadAsync(target[filled..], _silent.Token);
            if (read == 0)
            {
                break;
            }

            filled += read;
        }

        return filled;
    }
}
