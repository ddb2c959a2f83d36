using Baton.Core.Cdc;

namespace Baton.Node.Cdc;

/// <summary>Makes batches of a log from one LSN on, and waits for what is appended. One call at a time; after one that failed the reader is worth nothing.</summary>
internal sealed class DeliveryReader : IAsyncDisposable
{
    private readonly CdcSource _source;
    private readonly DeliveryLimits _limits;
    private readonly DeliveryOrder _order;
    private readonly CancellationTokenSource _stop;
    private IAsyncEnumerator<DeliveryStep>? _steps;
    private DeliveryStep? _held;
    private long _passed;
    private long _scanThrough;
    private Task<DeliveryBatch>? _next;

    public DeliveryReader(CdcSource source, DeliveryTerms terms, CdcSettings settings, long fromLsn, CancellationToken ct)
    {
        (_source, _limits, _passed) = (source, settings.Limits, fromLsn - 1);
        _order = new DeliveryOrder(terms, settings.KeptBytes);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
    }

    /// <summary>The next batch, which is being read already where <see cref="ReadAhead"/> was called. It may be empty, where something was passed and nothing of it is delivered. Waits until there is one.</summary>
    public async Task<DeliveryBatch> NextAsync()
    {
        ReadAhead();
        var batch = await _next!;
        _next = null;
        return batch;
    }

    /// <summary>Begins to read the next batch.</summary>
    public void ReadAhead() => _next ??= ReadAsync(_stop.Token);

    /// <summary>Gives up, also a read under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_next is not null)
        {
            await ((Task)_next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await EndScanAsync();
        _stop.Dispose();
    }

    private async Task<DeliveryBatch> ReadAsync(CancellationToken ct)
    {
        // Off the caller's thread from the first line on: it has something to send meanwhile.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var batch = new DeliveryBatchBuilder(_limits, _passed);
        while (true)
        {
            if (_steps is null)
            {
                var (moved, last) = (_source.Progress.Moved, _source.LastDurableLsn());
                if (last <= _passed)
                {
                    await moved.WaitAsync(ct);
                    continue;
                }

                _scanThrough = last;
                _steps = _source.StepsAsync(_order, _passed + 1, last, ct).GetAsyncEnumerator(ct);
            }

            if (_held is null)
            {
                if (!await _steps.MoveNextAsync())
                {
                    // The present end of the log: what there is goes out.
                    await EndScanAsync();
                    return _passed == _scanThrough ? batch.Build() : throw new InvalidDataException($"the log of channel {_source.Channel} gave records up to LSN {_passed} of {_scanThrough}");
                }

                _held = _steps.Current;
            }

            var step = _held.Value;
            if (step.Message is { } message)
            {
                if (!batch.TryAdd(message))
                {
                    return batch.Build();
                }
            }
            else
            {
                batch.Pass(step.Lsn, step.Ends);
                _passed = step.Lsn;
                if (step.Ends)
                {
                    return batch.Build();
                }
            }

            _held = null;
        }
    }

    private async ValueTask EndScanAsync()
    {
        if (_steps is { } steps)
        {
            _steps = null;
            await steps.DisposeAsync();
        }
    }
}
