using System.Text;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Does what a test wants with each call to storage.</summary>
/// <param name="act">Gets method and path, body, the call itself, and its token.</param>
internal sealed class ScriptedStorage(Func<string, string, Func<ValueTask>, CancellationToken, ValueTask> act) : HttpPipelinePolicy
{
    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var text = "";
        if (message.Request.Content is { } content)
        {
            using var body = new MemoryStream();
            await content.WriteToAsync(body, message.CancellationToken);
            text = Encoding.UTF8.GetString(body.ToArray());
        }

        await act($"{message.Request.Method} {message.Request.Uri.Path}", text, () => ProcessNextAsync(message, pipeline), message.CancellationToken);
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException();

    public static RequestFailedException Cut() => new(0, "cut", new IOException("cut"));
}
