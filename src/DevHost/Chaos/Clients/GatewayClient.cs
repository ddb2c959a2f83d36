using System.Text.Json;
using Baton.DevHost.Chaos.Load;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Clients;

/// <summary>Sends to a cluster's gateway, each request once. Whatever is not a success is an error that a client saw, and is kept with its text.</summary>
internal sealed class GatewayClient(LocalCluster cluster, Recorder recorder)
{
    /// <summary>Sends one request.</summary>
    /// <param name="client">Who sends it, for the error.</param>
    /// <param name="method">GET or POST.</param>
    /// <param name="path">The path, without a slash before it.</param>
    /// <param name="content">The body.</param>
    /// <param name="cancellationToken">Stops the client: no error.</param>
    /// <returns>The body of a success, or null.</returns>
    public async Task<T?> SendAsync<T>(string client, HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken)
        where T : class
    {
        string error;
        try
        {
            var answer = await cluster.Client.NodeAsync<T>(cluster.Gateway, method, path, content, asControlPlane: false, cancellationToken);
            if (answer.Status is >= 200 and < 300 && answer.Body is { } body)
            {
                return body;
            }

            error = $"HTTP {answer.Status} {answer.Problem?.Detail ?? answer.Text}";
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && e is HttpRequestException or IOException or OperationCanceledException or JsonException)
        {
            error = e.Message;
        }

        recorder.AddError($"{DateTimeOffset.UtcNow:HH:mm:ss.fff} {client}: {method} {path}: {error}");
        return null;
    }
}
