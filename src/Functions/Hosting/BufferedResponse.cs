using Microsoft.AspNetCore.Http.Features;

namespace Baton.Functions.Hosting;

/// <summary>
/// The response that a function sees. It is kept back until it is whole, so that a fault half-way still becomes a clean error, and so that
/// it can go either way: as the answer itself or inside an envelope.
/// </summary>
internal sealed class BufferedResponse
{
    private readonly HttpResponseFeature head = new();
    private readonly StreamResponseBodyFeature body = new(new MemoryStream());

    private BufferedResponse()
    {
    }

    /// <summary>Gives the context of <paramref name="features"/> a new response, whatever was written to an earlier one.</summary>
    public static BufferedResponse Install(IFeatureCollection features)
    {
        var response = new BufferedResponse();
        features.Set<IHttpResponseFeature>(response.head);
        features.Set<IHttpResponseBodyFeature>(response.body);
        return response;
    }

    /// <summary>The answer that <paramref name="result"/> makes of it.</summary>
    public async Task<HttpAnswer> ExecuteAsync(IResult result, HttpContext context)
    {
        await result.ExecuteAsync(context);
        await body.CompleteAsync();
        return new HttpAnswer(head.StatusCode, head.Headers, ((MemoryStream)body.Stream).ToArray());
    }
}
