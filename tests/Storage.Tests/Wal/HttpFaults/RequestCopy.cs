namespace Baton.Storage.Tests.Wal.HttpFaults;

/// <summary>A request that can be sent when its caller has long gone.</summary>
internal static class RequestCopy
{
    public static async Task<HttpRequestMessage> TakeAsync(HttpRequestMessage request)
    {
        var copy = new HttpRequestMessage(request.Method, request.RequestUri) { Version = request.Version };
        foreach (var (name, values) in request.Headers)
        {
            copy.Headers.TryAddWithoutValidation(name, values);
        }

        if (request.Content is { } content)
        {
            await content.LoadIntoBufferAsync();
            copy.Content = new ByteArrayContent(await content.ReadAsByteArrayAsync());
            foreach (var (name, values) in content.Headers)
            {
                copy.Content.Headers.TryAddWithoutValidation(name, values);
            }
        }

        return copy;
    }
}
