using System.Threading.Channels;
using Azure.Storage.Queues.Models;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.Invocations;
using Baton.DevHost.Orchestrations;

namespace Baton.DevHost.FunctionsHost.Queues;

/// <summary>
/// Delivers one queue to one function, at least once. Each function has a pump of its own with its own concurrency, so that a slow function delays no other.
/// </summary>
internal sealed class QueuePump(FunctionDefinition function, QueueTrigger trigger, LocalQueues queues, FunctionInvoker invoker, FunctionInputs inputs, OutputSender outputs, QueuePumpSettings settings, TimeProvider time, ILogger logger)
{
    /// <summary>Service Bus's default MaxDeliveryCount.</summary>
    public const int MaxDeliveryCount = 10;

    // What one receive call of a storage queue may ask for.
    private const int MaxBatch = 32;
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(5);

    private readonly LocalQueue _queue = queues.Open(trigger.Queue);

    // One token for each message that may be in work; a delivery takes one and gives it back at its end.
    private readonly Channel<bool> _slots = Channel.CreateBounded<bool>(settings.MaxConcurrentCalls);

    /// <summary>Runs until cancelled, and then until the deliveries in work have ended.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        Release(settings.MaxConcurrentCalls);
        try
        {
            var backOff = FirstBackOff;
            while (true)
            {
                var slots = await TakeSlotsAsync(stopping);
                var ring = _queue.NextRing;
                var received = 0;
                try
                {
                    received = await ReceiveAsync(slots, stopping);
                    backOff = FirstBackOff;
                }
                catch (Exception e) when (StorageRetry.IsStorageFault(e) && !(e is OperationCanceledException && stopping.IsCancellationRequested))
                {
                    logger.LogWarning("Receiving from {Queue} failed ({Reason}); again in {BackOff}", trigger.Queue, StorageRetry.Reason(e), backOff);
                    await Task.Delay(backOff, time, stopping);
                    backOff = TimeSpan.FromTicks(Math.Min(backOff.Ticks * 2, LongestBackOff.Ticks));
                }
                finally
                {
                    Release(slots - received);
                }

                if (received == 0)
                {
                    await Task.WhenAny(ring, Task.Delay(settings.IdlePoll, time, stopping));
                    stopping.ThrowIfCancellationRequested();
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            for (var i = 0; i < settings.MaxConcurrentCalls; i++)
            {
                await _slots.Reader.ReadAsync(CancellationToken.None);
            }
        }
    }

    private async Task<int> TakeSlotsAsync(CancellationToken stopping)
    {
        if (!_slots.Reader.TryRead(out _))
        {
            // Behind: a moment later there are more, and one call asks for as many as there are. Each call costs the storage the more the longer the queue is.
            await _slots.Reader.ReadAsync(stopping);
            await Task.Delay(Gather, time, CancellationToken.None);
        }

        var slots = 1;
        while (slots < MaxBatch && _slots.Reader.TryRead(out _))
        {
            slots++;
        }

        return slots;
    }

    private void Release(int slots)
    {
        for (var i = 0; i < slots; i++)
        {
            _slots.Writer.TryWrite(true);
        }
    }

    private async Task<int> ReceiveAsync(int slots, CancellationToken stopping)
    {
        await _queue.CreateIfNotExistsAsync(stopping);

        // Not cancelled half way: messages that were received and not seen would stay hidden until their lock runs out.
        QueueMessage[] messages = await _queue.Client.ReceiveMessagesAsync(slots, settings.Lock, CancellationToken.None);
        foreach (var message in messages)
        {
            _ = DeliverAndReleaseAsync(message, stopping);
        }

        return messages.Length;
    }

    // Never throws: its end is awaited through the slot that it gives back.
    private async Task DeliverAndReleaseAsync(QueueMessage message, CancellationToken stopping)
    {
        try
        {
            await DeliverAsync(message, stopping);
        }
        catch (Exception e) when (StorageRetry.IsStorageFault(e))
        {
            // The lock has run out or storage is away: the message comes again by itself.
            logger.LogWarning("Settling message {MessageId} of {Queue} failed: {Reason}", message.MessageId, trigger.Queue, StorageRetry.Reason(e));
        }
        catch (Exception e)
        {
            logger.LogError(e, "Delivering message {MessageId} of {Queue} failed", message.MessageId, trigger.Queue);
        }
        finally
        {
            Release(1);
        }
    }

    private async Task DeliverAsync(QueueMessage message, CancellationToken stopping)
    {
        var body = LocalQueue.Body(message.MessageText);
        if (message.DequeueCount > MaxDeliveryCount)
        {
            await DeadLetterAsync(message, message.PopReceipt, body, "The host ended during the last delivery.");
            return;
        }

        using var held = new MessageLock(_queue.Client, message, settings, time, logger);
        string? failure = null;
        try
        {
            var data = inputs.Values(function);
            data[trigger.Binding] = QueueDelivery.Value(trigger, body);
            var answer = await invoker.InvokeAsync(function, data, QueueDelivery.Metadata(trigger, message, body), stopping);
            await outputs.SendAsync(function, answer, stopping);
        }
        catch (InvocationFailedException e)
        {
            failure = e.Message;
        }
        catch (OperationCanceledException)
        {
            failure = "The host is shutting down.";
        }

        // From here on nothing is cancelled: the outcome is known and must be recorded.
        var receipt = await held.EndAsync();
        if (failure is null)
        {
            await _queue.Client.DeleteMessageAsync(message.MessageId, receipt, CancellationToken.None);
        }
        else if (message.DequeueCount >= MaxDeliveryCount)
        {
            await DeadLetterAsync(message, receipt, body, failure);
        }
        else
        {
            logger.LogWarning("Delivery {DeliveryCount} of message {MessageId} of {Queue} failed: {Reason}", message.DequeueCount, message.MessageId, trigger.Queue, failure);
            await _queue.Client.UpdateMessageAsync(message.MessageId, receipt, message.MessageText, TimeSpan.Zero, CancellationToken.None);
            _queue.Ring();
        }
    }

    private async Task DeadLetterAsync(QueueMessage message, string receipt, byte[] body, string detail)
    {
        logger.LogError("Message {MessageId} of {Queue} is dead-lettered after {DeliveryCount} deliveries: {Reason}", message.MessageId, trigger.Queue, message.DequeueCount, detail);
        var letters = queues.Open(LocalQueues.DeadLetterName(trigger.Queue));
        var letter = QueueDelivery.DeadLetter(trigger.Queue, message, body, "MaxDeliveryCountExceeded", detail);
        if (letter.Length <= LocalQueue.MaxBodyBytes)
        {
            await letters.SendAsync(letter, CancellationToken.None);
        }
        else
        {
            // Reason and body together are more than a message holds: then the body alone, and the reason is in the log.
            await letters.SendTextAsync(message.MessageText, CancellationToken.None);
        }

        await _queue.Client.DeleteMessageAsync(message.MessageId, receipt, CancellationToken.None);
    }
}

/// <param name="MaxConcurrentCalls">Messages in work at once.</param>
/// <param name="Lock">How long a message stays hidden without renewal.</param>
/// <param name="MaxLockRenewal">How long the lock is renewed; a function that takes longer sees its message delivered again while it still runs.</param>
/// <param name="IdlePoll">The pause after nothing was found.</param>
internal sealed record QueuePumpSettings(int MaxConcurrentCalls, TimeSpan Lock, TimeSpan MaxLockRenewal, TimeSpan IdlePoll);
