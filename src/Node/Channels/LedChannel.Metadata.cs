using Baton.Core.Api;
using Baton.Core.Metadata;
using Baton.Node.Metadata;

namespace Baton.Node.Channels;

/// <content>Commands to the catalogue, whose log the channel <c>__metadata</c> is.</content>
internal sealed partial class LedChannel
{
    private readonly LedMetadata? _metadata;

    /// <summary>Commands that are decided together and written in one batch: all of them or none. Answered when they are durable and published; a repeat of <paramref name="producer"/>'s is answered as the first time.</summary>
    /// <exception cref="ApiException">One is refused; or what any append may be refused for.</exception>
    public async Task<AppendResponse> CommandAsync(IReadOnlyList<MetadataCommand> commands, ProducerStamp? producer)
    {
        var metadata = _metadata ?? throw new InvalidOperationException($"Channel {Name} is not the metadata's.");

        // Encoded outside of the channel's turn, in which it would keep others waiting.
        var encoded = new AppendRequest([.. commands.Select(c => new MessageBody(MetadataCodec.Encode(c)))], producer);
        return Written(await ChangeAsync(now => metadata.Prepare(_machine, commands, encoded, now)));
    }

    /// <summary>Waits until so many of the followers that count have said that they have everything through <paramref name="lsn"/>. Answers whether they have, in time.</summary>
    public async Task<bool> WaitForFollowersAsync(long lsn, int followers, Func<string, bool> counts, TimeSpan wait, CancellationToken ct)
    {
        var began = _around.Time.GetTimestamp();
        while (true)
        {
            var reported = _feed.Reported;
            if (_feed.CountAt(lsn, counts) >= followers)
            {
                return true;
            }

            // What is waited for is in the log: nobody may be told that this node was not the leader.
            var left = wait - _around.Time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero || Ended)
            {
                return false;
            }

            Task either = Task.WhenAny(reported, _end.Task);
            await either.WaitAsync(left, _around.Time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ct.ThrowIfCancellationRequested();
        }
    }
}
