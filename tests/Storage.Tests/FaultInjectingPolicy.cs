using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.Storage.Tests;

/// <summary>How a call is lost.</summary>
public enum Loss
{
    /// <summary>It never reaches the service.</summary>
    BeforeSending,

    /// <summary>The service does it; the answer never arrives.</summary>
    Answer,
}

/// <summary>Loses chosen calls to the storage service, counted over all attempts of all clients that share this policy.</summary>
public sealed class FaultInjectingPolicy : HttpPipelinePolicy
{
    private readonly Lock _gate = new();
    private readonly List<string> _calls = [];
    private Func<Request, bool> _match = _ => false;
    private Loss _loss;
    private int _from = int.MaxValue;
    private int _until;
    private int _seen;

    /// <summary>Every call so far: method and path.</summary>
    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (_gate)
            {
                return [.. _calls];
            }
        }
    }

    /// <summary>Calls that matched since the last <see cref="Lose"/>.</summary>
    public int Matched
    {
        get
        {
            lock (_gate)
            {
                return _seen;
            }
        }
    }

    public static bool IsAppend(Request request) => request.Uri.Query.Contains("comp=appendblock", StringComparison.Ordinal);

    public static bool IsWrite(Request request) => request.Method != RequestMethod.Get && request.Method != RequestMethod.Head;

    /// <summary>From now on, loses the <paramref name="nth"/> matching call and those after it, <paramref name="times"/> in all.</summary>
    public void Lose(Loss loss, Func<Request, bool> match, int nth = 1, int times = 1)
    {
        lock (_gate)
        {
            (_loss, _match, _from, _until, _seen) = (loss, match, nth, nth + times, 0);
        }
    }

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var loss = Next(message.Request);
        if (loss == Loss.BeforeSending)
        {
            throw Lost();
        }

        await ProcessNextAsync(message, pipeline);
        if (loss == Loss.Answer)
        {
            message.Response.Dispose();
            throw Lost();
        }
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException("Storage is called asynchronously.");

    private static RequestFailedException Lost() => new(0, "The connection was cut (by the test).", new IOException("cut"));

    private Loss? Next(Request request)
    {
        lock (_gate)
        {
            _calls.Add($"{request.Method} {request.Uri.Path}{request.Uri.Query}");
            if (!_match(request))
            {
                return null;
            }

            _seen++;
            return _seen >= _from && _seen < _until ? _loss : null;
        }
    }
}
