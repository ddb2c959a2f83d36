using System.Net;

namespace Baton.Functions.Failover;

/// <summary>
/// What a <see cref="Rehearsal"/> takes for its storage and its nodes: keeps the one row that is written, gives it back, and takes every order. No byte leaves the process.
/// </summary>
internal sealed class RehearsalStage : HttpMessageHandler
{
    private const string Version = "\"rehearsal\"";

    private byte[] _row = [];
    private int _nodesTold;

    /// <summary>The account that it plays, with a key that opens nothing.</summary>
    public static string Account { get; } =
        "DefaultEndpointsProtocol=http;AccountName=rehearsal;AccountKey=cmVoZWFyc2Fs;BlobEndpoint=http://storage.invalid/rehearsal;TableEndpoint=http://storage.invalid/rehearsal;QueueEndpoint=http://storage.invalid/rehearsal";

    /// <summary>How many orders its nodes have got.</summary>
    public int NodesTold => Volatile.Read(ref _nodesTold);

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.RequestUri!.Host != "storage.invalid")
        {
            Interlocked.Increment(ref _nodesTold);
            return new HttpResponseMessage(HttpStatusCode.Accepted) { Content = new ByteArrayContent([]) };
        }

        if (request.Method == HttpMethod.Get)
        {
            return Answer(HttpStatusCode.OK, _row);
        }

        _row = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
        return Answer(HttpStatusCode.NoContent, []);
    }

    private static HttpResponseMessage Answer(HttpStatusCode status, byte[] body)
    {
        var answer = new HttpResponseMessage(status) { Content = new ByteArrayContent(body) };
        answer.Headers.TryAddWithoutValidation("ETag", Version);
        return answer;
    }
}
