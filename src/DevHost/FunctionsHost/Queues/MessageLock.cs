using Azure;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using Baton.DevHost.Orchestrations;

namespace Baton.DevHost.FunctionsHost.Queues;

/// <summary>Keeps a received message hidden while its function runs. Each renewal gives a new receipt, and only the newest settles the message.</summary>
internal sealed class MessageLock : IDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly QueueClient _queue;
    private readonly QueueMessage _message;
    private readonly QueuePumpSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Task<string> _renewing;

    public MessageLock(QueueClient queue, QueueMessage message, QueuePumpSettings settings, TimeProvider time, ILogger logger)
    {
        _queue = queue;
        _message = message;
        _settings = settings;
        _time = time;
        _logger = logger;
        _renewing = RenewAsync();
    }

    /// <summary>Ends the renewal.</summary>
    /// <returns>The receipt that settles the message.</returns>
    public async Task<string> EndAsync()
    {
        await _ended.CancelAsync();
        return await _renewing;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ended.Cancel();
        _ended.Dispose();
    }

    private async Task<string> RenewAsync()
    {
        var receipt = _message.PopReceipt;
        var start = _time.GetTimestamp();
        var renewed = start;
        var wait = _settings.Lock / 3;
        try
        {
            while (_time.GetElapsedTime(start) < _settings.MaxLockRenewal)
            {
                await Task.Delay(wait, _time, _ended.Token);
                try
                {
                    // Not cancelled half way: a receipt that storage has issued and nobody knows would leave the message unsettled.
                    receipt = (await _queue.UpdateMessageAsync(_message.MessageId, receipt, _message.MessageText, _settings.Lock, CancellationToken.None)).Value.PopReceipt;
                    (renewed, wait) = (_time.GetTimestamp(), _settings.Lock / 3);
                }
                catch (Exception e) when (StorageRetry.IsStorageFault(e) && !IsLost(e) && _time.GetElapsedTime(renewed) < _settings.Lock)
                {
                    // The lock still holds: storage may answer again before it runs out.
                    _logger.LogInformation("The lock of message {MessageId} could not be renewed ({Reason}); trying again", _message.MessageId, StorageRetry.Reason(e));
                    wait = _settings.Lock / 15;
                }
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // The function has ended.
        }
        catch (Exception e) when (StorageRetry.IsStorageFault(e))
        {
            _logger.LogWarning("The lock of message {MessageId} could not be renewed ({Reason}); it may be delivered again", _message.MessageId, StorageRetry.Reason(e));
        }

        return receipt;
    }

    // Somebody else has the message, or it is gone.
    private static bool IsLost(Exception e) => e is RequestFailedException { Status: 400 or 404 };
}
