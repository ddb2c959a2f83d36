using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using Baton.DevHost.FunctionsHost.Queues;
using Baton.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class MessageLockTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_lock_is_renewed_again_after_renewals_that_storage_did_not_answer()
    {
        var hiccup = new FailedRenewals(2);
        var options = new QueueClientOptions { Retry = { MaxRetries = 0 } };
        options.AddPolicy(hiccup, HttpPipelinePosition.PerRetry);
        var queue = new QueueClient(azurite.NewAccount(), "orders", options);
        await queue.CreateAsync();
        await queue.SendMessageAsync("x");
        QueueMessage message = await queue.ReceiveMessageAsync(TimeSpan.FromSeconds(9));

        using var held = new MessageLock(queue, message, new QueuePumpSettings(1, TimeSpan.FromSeconds(9), TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(1)), TimeProvider.System, NullLogger.Instance);
        await hiccup.Renewed.WaitAsync(TimeSpan.FromSeconds(60));

        var receipt = await held.EndAsync();
        Assert.NotEqual(message.PopReceipt, receipt);
        await queue.DeleteMessageAsync(message.MessageId, receipt);
    }

    /// <summary>Fails the first renewals before they reach storage.</summary>
    private sealed class FailedRenewals(int failures) : HttpPipelinePolicy
    {
        private readonly TaskCompletionSource _renewed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _seen;

        public Task Renewed => _renewed.Task;

        public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
        {
            var isRenewal = message.Request.Method == RequestMethod.Put && message.Request.Uri.Path.Contains("/messages/", StringComparison.Ordinal);
            if (isRenewal && Interlocked.Increment(ref _seen) <= failures)
            {
                throw new RequestFailedException(0, "The connection was cut (by the test).", new IOException("cut"));
            }

            await ProcessNextAsync(message, pipeline);
            if (isRenewal)
            {
                _renewed.TrySetResult();
            }
        }

        public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException("Storage is called asynchronously.");
    }
}
