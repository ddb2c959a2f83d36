using System.Net;

namespace Baton.Gateway.Forwarding;

/// <summary>
/// A request's bytes, to be sent as often as need be. They lie in a buffer that is used again after the request: an attempt that was given up may still be sending them, and must have ended before.
/// </summary>
internal sealed class RepeatableBody(ReadOnlyMemory<byte> bytes, string? contentType)
{
    private readonly List<Copy> _copies = [];

    /// <summary>The body of one attempt; null where the request has none.</summary>
    public HttpContent? ForAttempt()
    {
        if (bytes.IsEmpty && contentType is null)
        {
            return null;
        }

        var copy = new Copy(bytes);
        if (contentType is not null)
        {
            copy.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }

        _copies.Add(copy);
        return copy;
    }

    /// <summary>Ends when nobody reads the bytes any more. Every attempt has been answered or cancelled before, so that none of them goes on sending for long.</summary>
    public async Task ReleasedAsync()
    {
        foreach (var copy in _copies)
        {
            if (!copy.Ended.IsCompleted)
            {
                await copy.Ended;
            }
        }
    }

    private sealed class Copy(ReadOnlyMemory<byte> bytes) : HttpContent
    {
        /// <summary>Sending: done when it has not begun, too.</summary>
        public Task Ended { get; private set; } = Task.CompletedTask;

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Ended = ended.Task;
            try
            {
                await stream.WriteAsync(bytes, cancellationToken);
            }
            finally
            {
                ended.SetResult();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = bytes.Length;
            return true;
        }
    }
}
