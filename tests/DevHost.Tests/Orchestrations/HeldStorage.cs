using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Holds the first call to storage that carries a text, as if its process slept; all others go through.</summary>
public sealed class HeldStorage(string text) : HttpPipelinePolicy
{
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when a call is held.</summary>
    public Task Held => _held.Task;

    public void Release() => _released.TrySetResult();

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        if (message.Request.Content is { } content)
        {
            using var body = new MemoryStream();
            await content.WriteToAsync(body, message.CancellationToken);
            if (System.Text.Encoding.UTF8.GetString(body.ToArray()).Contains(text, StringComparison.Ordinal) && _held.TrySetResult())
            {
                await _released.Task;
            }
        }

        await ProcessNextAsync(message, pipeline);
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException("Storage is called asynchronously.");
}
