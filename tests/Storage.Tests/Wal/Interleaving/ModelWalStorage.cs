using System.Globalization;
using System.Runtime.InteropServices;
using Azure;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal.Interleaving;

/// <summary>What becomes of one call to the model.</summary>
internal enum Fate
{
    /// <summary>Done and answered.</summary>
    Done,

    /// <summary>Done; the answer is lost.</summary>
    AnswerLost,

    /// <summary>Never done; the caller cannot tell.</summary>
    CallLost,

    /// <summary>The caller is told nothing; the call is done at some later time, or never.</summary>
    Delayed,

    /// <summary>Done, and the caller dies before it learns so.</summary>
    KilledAfter,

    /// <summary>Not done: the caller dies.</summary>
    KilledBefore,
}

/// <summary>The storage service, as far as the log uses it, in memory. Calls wait until the schedule takes them, one at a time; an actor may have several under way.</summary>
internal sealed class ModelWalStorage
{
    private readonly Lock _state = new();
    private readonly object _arrivals = new();
    private readonly Dictionary<string, VersionedManifest> _manifests = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Segment> _segments = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, List<PendingCall>> _pending = new(StringComparer.Ordinal);
    private readonly List<Action> _late = [];
    private int _version;
    private int _live;
    private Exception? _failure;

    /// <summary>Everything that was done, to read when a schedule fails.</summary>
    public List<string> Trace { get; } = [];

    /// <summary>Calls that are still on their way although their callers have been told nothing.</summary>
    public int Late => _late.Count;

    /// <summary>Runs <paramref name="script"/> as an actor of its own, with a storage whose calls are its calls.</summary>
    public void Start(string actor, Func<IWalStorage, Task> script)
    {
        lock (_arrivals)
        {
            _live++;
        }

        _ = Task.Run(async () =>
        {
            try
            {
                await script(new ActorStorage(this, actor));
            }
            catch (Exception failure)
            {
                lock (_arrivals)
                {
                    _failure ??= failure;
                }
            }

            Leave();
        });
    }

    /// <summary>A storage whose calls are done at once.</summary>
    public IWalStorage Direct() => new ActorStorage(this, null);

    /// <summary>Puts other bytes in the place of a segment's.</summary>
    public void Tamper(string blob, Func<byte[], byte[]> change)
    {
        lock (_state)
        {
            var bytes = Find("wal/" + blob).Bytes;
            var changed = change([.. bytes]);
            bytes.Clear();
            bytes.AddRange(changed);
        }
    }

    /// <summary>Waits until every live actor waits for a call. Their names, in order; none when all have ended.</summary>
    public IReadOnlyList<string> Settle()
    {
        lock (_arrivals)
        {
            while (_pending.Count < _live)
            {
                if (!Monitor.Wait(_arrivals, TimeSpan.FromSeconds(120)))
                {
                    throw new TimeoutException($"{_live} actors live, {_pending.Count} have a call: {string.Join(", ", _pending.Keys)}");
                }
            }

            return _failure is null ? [.. _pending.Keys] : throw new InvalidOperationException($"An actor failed: {_failure.Message}", _failure);
        }
    }

    /// <summary>Waits until <paramref name="actor"/> waits for so many calls: it may send them from a thread of its own, one after the other.</summary>
    public void WaitFor(string actor, int calls)
    {
        lock (_arrivals)
        {
            while ((_pending.GetValueOrDefault(actor)?.Count ?? 0) < calls)
            {
                if (!Monitor.Wait(_arrivals, TimeSpan.FromSeconds(120)))
                {
                    throw new TimeoutException($"{actor} has {_pending.GetValueOrDefault(actor)?.Count ?? 0} calls under way, not {calls}");
                }
            }
        }
    }

    /// <summary>The calls that <paramref name="actor"/> waits for, in order, and whether they change anything.</summary>
    public IReadOnlyList<(string What, bool Writes)> Waiting(string actor)
    {
        lock (_arrivals)
        {
            return [.. _pending[actor].Select(c => (c.What, c.Writes))];
        }
    }

    /// <summary>Lets one of the calls that <paramref name="actor"/> waits for meet its fate.</summary>
    public void Take(string actor, int nth, Fate fate)
    {
        PendingCall call;
        lock (_arrivals)
        {
            var calls = _pending[actor];
            call = calls[nth];
            calls.RemoveAt(nth);
            if (calls.Count == 0)
            {
                _pending.Remove(actor);
            }
        }

        Trace.Add($"{actor} {call.What}: {fate}");
        switch (fate)
        {
            case Fate.Done:
                call.Do();
                break;
            case Fate.AnswerLost:
                call.Apply();
                call.Lose();
                break;
            case Fate.CallLost:
                call.Lose();
                break;
            case Fate.Delayed:
                DoLate(actor, call);
                call.Lose();
                break;
            case Fate.KilledAfter:
                call.Apply();
                Kill(actor);
                break;
            default:
                Kill(actor);
                break;
        }
    }

    /// <summary>Does one delayed call.</summary>
    public void TakeLate(int index)
    {
        var late = _late[index];
        _late.RemoveAt(index);
        late();
    }

    private void DoLate(string actor, PendingCall call) => _late.Add(() =>
    {
        Trace.Add($"{actor} {call.What}: late");
        call.Apply();
    });

    // What else it had sent is on its way.
    private void Kill(string actor)
    {
        lock (_arrivals)
        {
            if (_pending.Remove(actor, out var others))
            {
                others.ForEach(c => DoLate(actor, c));
            }
        }

        Leave();
    }

    private void Leave()
    {
        lock (_arrivals)
        {
            _live--;
            Monitor.PulseAll(_arrivals);
        }
    }

    private Task<T> Call<T>(string? actor, string what, bool writes, Func<T> apply)
    {
        if (actor is null)
        {
            lock (_state)
            {
                return Task.FromResult(apply());
            }
        }

        // Continuations run where the call is taken: nothing else moves meanwhile.
        var answer = new TaskCompletionSource<T>();
        var call = new PendingCall(
            what,
            writes,
            Do: () => Complete(answer, apply),
            Apply: () => Complete(new TaskCompletionSource<T>(), apply),
            Lose: () => answer.SetException(new WalStorageUncertainException(what)));
        lock (_arrivals)
        {
            if (!_pending.TryGetValue(actor, out var calls))
            {
                _pending.Add(actor, calls = []);
            }

            calls.Add(call);
            Monitor.PulseAll(_arrivals);
        }

        return answer.Task;
    }

    private void Complete<T>(TaskCompletionSource<T> answer, Func<T> apply)
    {
        T result;
        try
        {
            lock (_state)
            {
                result = apply();
            }
        }
        catch (Exception failure) when (failure is WalBlobMissingException or WalFaultedException)
        {
            answer.SetException(failure);
            return;
        }

        answer.SetResult(result);
    }

    private Segment Find(string segment) => _segments.TryGetValue(segment, out var found) ? found : throw new WalBlobMissingException(segment);

    private sealed record PendingCall(string What, bool Writes, Action Do, Action Apply, Action Lose);

    private sealed class Segment
    {
        public List<byte> Bytes { get; } = [];

        public bool Sealed { get; set; }
    }

    private sealed class ActorStorage(ModelWalStorage model, string? actor) : IWalStorage
    {
        public IAppendBlobs Segments { get; } = new ActorBlobs(model, actor, "wal/");

        public IAppendBlobs Snapshots { get; } = new ActorBlobs(model, actor, "snapshots/");

        public Task<VersionedManifest?> ReadManifestAsync(string channel, CancellationToken cancellationToken) =>
            model.Call(actor, "read manifest", writes: false, () => model._manifests.GetValueOrDefault(channel));

        public Task<IReadOnlyList<string>> ListChannelsAsync(CancellationToken cancellationToken) =>
            model.Call<IReadOnlyList<string>>(actor, "list channels", writes: false, () => [.. model._manifests.Keys.Order(StringComparer.Ordinal)]);

        public Task<ETag?> WriteManifestAsync(WalManifest manifest, ETag? expected, CancellationToken cancellationToken) =>
            model.Call<ETag?>(actor, $"write manifest term {manifest.Term} with {manifest.Segments.Count} segments", writes: true, () =>
            {
                if (model._manifests.GetValueOrDefault(manifest.Channel)?.ETag != expected)
                {
                    return null;
                }

                var etag = new ETag((++model._version).ToString(CultureInfo.InvariantCulture));
                model._manifests[manifest.Channel] = new VersionedManifest(manifest, etag);
                return etag;
            });
    }

    private sealed class ActorBlobs(ModelWalStorage model, string? actor, string container) : IAppendBlobs
    {
        public Task CreateAsync(string blob, CancellationToken cancellationToken) =>
            model.Call(actor, $"create {blob}", writes: true, () => model._segments.TryAdd(container + blob, new Segment()));

        public Task<AppendOutcome> AppendAsync(string blob, long position, ReadOnlyMemory<byte> block, CancellationToken cancellationToken) =>
            model.Call(actor, $"append {block.Length} bytes at {position} of {blob}", writes: true, () =>
            {
                if (!model._segments.TryGetValue(container + blob, out var found))
                {
                    return AppendOutcome.Missing;
                }

                if (found.Sealed)
                {
                    return AppendOutcome.Sealed;
                }

                if (found.Bytes.Count != position)
                {
                    return AppendOutcome.PositionMoved;
                }

                found.Bytes.AddRange(block.ToArray());
                return AppendOutcome.Appended;
            });

        public Task SealAsync(string blob, CancellationToken cancellationToken) =>
            model.Call(actor, $"seal {blob}", writes: true, () => model.Find(container + blob).Sealed = true);

        public Task<int> ReadAsync(string blob, long offset, Memory<byte> target, CancellationToken cancellationToken) =>
            model.Call(actor, $"read {blob} from {offset}", writes: false, () =>
            {
                var bytes = model.Find(container + blob).Bytes;
                var read = (int)Math.Clamp(bytes.Count - offset, 0, target.Length);
                CollectionsMarshal.AsSpan(bytes).Slice((int)Math.Min(offset, bytes.Count), read).CopyTo(target.Span);
                return read;
            });

        public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) =>
            model.Call<IReadOnlyList<string>>(actor, $"list {container}{prefix}", writes: false, () =>
                [.. model._segments.Keys.Where(k => k.StartsWith(container + prefix, StringComparison.Ordinal)).Select(k => k[container.Length..]).Order(StringComparer.Ordinal)]);

        public Task DeleteAsync(string blob, CancellationToken cancellationToken) =>
            model.Call(actor, $"delete {blob}", writes: true, () => model._segments.Remove(container + blob));
    }
}
