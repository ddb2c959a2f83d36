using Baton.Durable;

namespace Baton.Functions.Hosting;

/// <summary>Makes durable clients from what the host binds: the address and key of its management API.</summary>
internal sealed class DurableClients : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(2) }) { Timeout = TimeSpan.FromSeconds(30) };

    /// <summary>The client that <paramref name="function"/> asks for; null if it asks for none.</summary>
    public DurableTaskClient? Open(FunctionDefinition function, Envelope envelope)
    {
        if (function.ClientParameter is null)
        {
            return null;
        }

        var name = function.ClientParameter.Name!;
        var binding = envelope.As<Binding>(name);
        return Uri.TryCreate(binding.HttpBaseUrl ?? binding.BaseUrl, UriKind.Absolute, out var address)
            ? new HttpDurableTaskClient(http, address, binding.RequiredQueryStringParameters ?? string.Empty)
            : throw Envelope.Malformed($"{name} has no address");
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    // Older extensions call the address baseUrl.
    private sealed record Binding(string? HttpBaseUrl, string? BaseUrl, string? RequiredQueryStringParameters);
}
