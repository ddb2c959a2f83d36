using System.Threading.Channels;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>An activity to run.</summary>
/// <param name="Instance">Who waits for its result; null when nobody does any more.</param>
/// <param name="InstanceId">The orchestration that wants it.</param>
/// <param name="ExecutionId">Its execution.</param>
/// <param name="Scheduled">The event that scheduled it.</param>
internal sealed record ActivityWork(LiveInstance? Instance, string InstanceId, string ExecutionId, HistoryEvent Scheduled)
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public (string ExecutionId, int Id) Key => (ExecutionId, Scheduled.EventId);

    /// <summary>Completes when it has run, whatever came of it.</summary>
    public Task Ended => _ended.Task;

    public void SetEnded() => _ended.TrySetResult();
}

/// <summary>Activities that wait for a runner: a bounded number, in order.</summary>
/// <remarks>
/// A full queue makes no turn wait. The instance keeps the ids that found no room, and its turn is run again when there is some: what an activity needs stands in its
/// history. So nobody waits for anybody: runners wait for work only, turns never, and the sole caller of <see cref="AddAsync"/> is a loop that nobody waits for.
/// Instances wait only while more than half of the queue is taken, so that a runner will come and wake them: those that got nothing the last time before those that got something.
/// </remarks>
internal sealed class ActivityQueue(int capacity)
{
    private readonly Lock _lock = new();
    private readonly Channel<ActivityWork> _queued = Channel.CreateUnbounded<ActivityWork>();
    private readonly Dictionary<(string ExecutionId, int Id), ActivityWork> _inWork = [];
    private readonly Queue<LiveInstance> _hungry = new();
    private readonly Queue<LiveInstance> _fed = new();
    private readonly HashSet<LiveInstance> _waiting = [];
    private int _count;
    private TaskCompletionSource _room = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The activity if it is queued or running.</summary>
    public ActivityWork? InWork(string executionId, int id)
    {
        lock (_lock)
        {
            return _inWork.GetValueOrDefault((executionId, id));
        }
    }

    /// <summary>Queues an activity, unless it is queued or running already. Without room its instance is made ready when there is some.</summary>
    /// <param name="work">The activity.</param>
    /// <param name="gotSome">Whether this turn has found room for another one.</param>
    public bool TryAdd(ActivityWork work, bool gotSome)
    {
        lock (_lock)
        {
            if (_inWork.ContainsKey(work.Key))
            {
                return true;
            }

            if (_count >= capacity)
            {
                if (_waiting.Add(work.Instance!))
                {
                    (gotSome ? _fed : _hungry).Enqueue(work.Instance!);
                }

                return false;
            }

            Add(work);
            return true;
        }
    }

    /// <summary>Queues an activity as soon as there is room.</summary>
    /// <returns>It, or the same one that was in work already.</returns>
    public async Task<ActivityWork> AddAsync(ActivityWork work, CancellationToken ct)
    {
        while (true)
        {
            Task room;
            lock (_lock)
            {
                if (_inWork.TryGetValue(work.Key, out var same))
                {
                    return same;
                }

                if (_count < capacity)
                {
                    Add(work);
                    return work;
                }

                room = _room.Task;
            }

            await room.WaitAsync(ct);
        }
    }

    /// <summary>The next one to run.</summary>
    public async Task<ActivityWork> TakeAsync(CancellationToken ct)
    {
        var work = await _queued.Reader.ReadAsync(ct);
        lock (_lock)
        {
            _count--;
            _room.TrySetResult();
            _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_count <= capacity / 2)
            {
                Wake(_hungry);
                Wake(_fed);
                _waiting.Clear();
            }
        }

        return work;
    }

    /// <summary>It has run.</summary>
    public void End(ActivityWork work)
    {
        lock (_lock)
        {
            _inWork.Remove(work.Key);
        }

        work.SetEnded();
    }

    private static void Wake(Queue<LiveInstance> waiting)
    {
        while (waiting.TryDequeue(out var instance))
        {
            instance.Wake();
        }
    }

    private void Add(ActivityWork work)
    {
        _inWork.Add(work.Key, work);
        _count++;
        _queued.Writer.TryWrite(work);
    }
}
