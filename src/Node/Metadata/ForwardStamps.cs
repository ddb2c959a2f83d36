using Baton.Core.Api;
using Baton.Edge.Producers;

namespace Baton.Node.Metadata;

/// <summary>Producers of this node's own, for what it sends on for clients that gave no stamp: sent again, because nobody knows whether it arrived, it is answered as the first time.</summary>
internal sealed class ForwardStamps
{
    /// <summary>Requests without a stamp that are sent on at the same time; more wait for one of them.</summary>
    private const int MaxLanes = 1_024;

    /// <summary>Drawn at the start: what an earlier process left half sent must not meet the sequences of this one.</summary>
    private readonly ChannelLanes _lanes = new($"fw-{Guid.NewGuid().ToString("N")[..16]}-", MaxLanes);

    /// <summary>A stamp for one request; disposing of it gives its producer back.</summary>
    /// <exception cref="ApiException">Overloaded: none was given back in time.</exception>
    public async ValueTask<Lane> TakeAsync(TimeLimit limit, CancellationToken aborted)
    {
        if (_lanes.TryTake() is { } free)
        {
            return free;
        }

        using var end = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        end.CancelAfter(limit.Left);
        try
        {
            return await _lanes.TakeAsync(end.Token);
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            throw new ApiException(ApiErrorCode.Overloaded, $"this node sends {MaxLanes} requests on to leaders already") { RetryAfterSeconds = 1 };
        }
    }
}

/// <summary>The time that one request has.</summary>
internal sealed class TimeLimit(TimeSpan limit, TimeProvider time)
{
    private readonly long _began = time.GetTimestamp();

    /// <summary>What is left of it; nothing when it is over, never less.</summary>
    public TimeSpan Left => limit - time.GetElapsedTime(_began) is { Ticks: > 0 } left ? left : TimeSpan.Zero;
}
