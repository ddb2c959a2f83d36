using System.Collections.Concurrent;
using System.Text;
using Azure.Storage.Queues;

namespace Baton.DevHost.FunctionsHost.Queues;

/// <summary>
/// Storage queues in the part of Service Bus queues. Bodies are bytes, kept as base64; a body that somebody put there as plain text is taken as it is.
/// </summary>
public sealed class LocalQueues
{
    /// <summary>
    /// How long one attempt of a call may take: far above what a slow answer takes, since no call waits for messages, and far below the client's own 100 s, for which one that hangs would hold up a
    /// queue's pump. What a receive was to bring whose answer comes later is delivered when its lock has run out; a send that is repeated may have been carried out, and then its message comes twice.
    /// </summary>
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);

    private readonly QueueServiceClient _service;
    private readonly ConcurrentDictionary<string, LocalQueue> _queues = new(StringComparer.Ordinal);

    /// <summary>Queues in the account of <paramref name="connectionString"/>.</summary>
    public LocalQueues(string connectionString)
    {
        var options = new QueueClientOptions { MessageEncoding = QueueMessageEncoding.None };
        options.Retry.MaxRetries = 3;
        options.Retry.Delay = TimeSpan.FromMilliseconds(100);
        options.Retry.MaxDelay = TimeSpan.FromSeconds(1);
        options.Retry.NetworkTimeout = CallTimeout;
        _service = new QueueServiceClient(connectionString, options);
    }

    /// <summary>The name of the queue that takes what <paramref name="queue"/> could not deliver.</summary>
    public static string DeadLetterName(string queue) => $"{queue}-deadletter";

    /// <summary>Sends a message, creating the queue when it is not there.</summary>
    /// <exception cref="Azure.RequestFailedException">Storage refused: a body above 48 KiB, for one, since the base64 of it must fit 64 KiB.</exception>
    public Task SendAsync(string queue, ReadOnlyMemory<byte> body, CancellationToken cancellationToken) => Open(queue).SendAsync(body, cancellationToken);

    internal LocalQueue Open(string queue) => _queues.GetOrAdd(queue, name => new LocalQueue(_service.GetQueueClient(name)));
}

/// <summary>One queue, with a bell that rings in this process when something was sent to it.</summary>
internal sealed class LocalQueue(QueueClient client)
{
    /// <summary>The base64 of it must fit a storage queue's 64 KiB.</summary>
    public const int MaxBodyBytes = 48 * 1024;

    private TaskCompletionSource _bell = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _created;

    public QueueClient Client => client;

    /// <summary>Completes at the next ring. Taken before a look into the queue, so that no ring falls between look and wait.</summary>
    public Task NextRing => Volatile.Read(ref _bell).Task;

    public async Task CreateIfNotExistsAsync(CancellationToken cancellationToken)
    {
        if (!_created)
        {
            await client.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
            _created = true;
        }
    }

    public Task SendAsync(ReadOnlyMemory<byte> body, CancellationToken cancellationToken) => SendTextAsync(Convert.ToBase64String(body.Span), cancellationToken);

    /// <summary>Sends a message as it stands in another queue.</summary>
    public async Task SendTextAsync(string messageText, CancellationToken cancellationToken)
    {
        await CreateIfNotExistsAsync(cancellationToken);
        await client.SendMessageAsync(messageText, timeToLive: TimeSpan.FromSeconds(-1), cancellationToken: cancellationToken);
        Ring();
    }

    public void Ring() => Interlocked.Exchange(ref _bell, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    public static byte[] Body(string messageText)
    {
        var bytes = new byte[messageText.Length];
        return Convert.TryFromBase64String(messageText, bytes, out var length) ? bytes[..length] : Encoding.UTF8.GetBytes(messageText);
    }
}
