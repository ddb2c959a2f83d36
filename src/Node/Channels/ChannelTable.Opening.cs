using Baton.Core.Api;
using Baton.Storage.Wal;

namespace Baton.Node.Channels;

/// <content>Opening, by order or because the assignments say so.</content>
internal sealed partial class ChannelTable
{
    /// <summary>Tries to lead a channel last this many times <c>Node:OpenGiveUpMs</c> before this node joins again for a new term: the time in which its report should have moved the channel on.</summary>
    private const int RejoinAfterGiveUps = 3;

    // What was ordered before a CloseAllAsync must not be opened after it.
    private int _lifetime;

    /// <summary>Opens a channel by order.</summary>
    /// <exception cref="ApiException">Conflict where the term is not above every term seen.</exception>
    public Task<LedChannel> OpenAsync(string channel, long term)
    {
        var slot = SlotOf(channel);
        ThrowIfSeen(slot, channel, term);
        return orders.RunAsync(async () =>
        {
            await slot.Turn.WaitAsync();
            try
            {
                ThrowIfSeen(slot, channel, term);
                return await OpenInTurnAsync(slot, channel, term);
            }
            finally
            {
                slot.Turn.Release();
            }
        });
    }

    /// <summary>Opens, behind the caller's back, what the assignments say that this node should lead and does not.</summary>
    public void Follow(IReadOnlyList<Assignment> assignments)
    {
        foreach (var assignment in assignments.Where(IsToLead))
        {
            var slot = SlotOf(assignment.Channel);
            if (assignment.Term > slot.SeenTerm)
            {
                _ = Order(slot, assignment.Channel, assignment.Term);
            }
            else if (slot.HalfOpenedTerm == assignment.Term && time.GetElapsedTime(slot.FailedSince) >= RejoinAfterGiveUps * GiveUp)
            {
                // Told of it, the control plane has found nobody else to lead it, or was not reached: only a new term makes this node lead it.
                RaiseTrouble($"channel {assignment.Channel} was half opened at term {assignment.Term}");
            }
        }
    }

    /// <summary>Opens, behind the caller's back, those of the channels that were not seen at their terms. Returns how many are news.</summary>
    public int Order(IReadOnlyList<ChannelAtTerm> channels)
    {
        var news = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (channel, term) in channels)
        {
            var slot = SlotOf(channel);
            if (term > slot.SeenTerm && Order(slot, channel, term))
            {
                news.Add(channel);
            }
        }

        return news.Count;
    }

    /// <summary>Opens nothing more that was ordered and has not been begun.</summary>
    public void TakeNothingOn()
    {
        Interlocked.Increment(ref _lifetime);
        orders.Clear();
    }

    /// <summary>Waits, for <c>Node:OpenWaitMs</c> at most, until the channel was opened here at <paramref name="term"/> or above, or that has failed, or it is seen to be another's.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="ct"/> has ended it.</exception>
    public Task WaitForTermAsync(string channel, long term, CancellationToken ct) => waits.WaitAsync(
        channel,
        term,
        TimeSpan.FromMilliseconds(settings.Value.OpenWaitMs),
        () =>
        {
            orders.Prefer(channel);
            return TermSeen(channel) >= term;
        },
        ct);

    private TimeSpan GiveUp => TimeSpan.FromMilliseconds(settings.Value.OpenGiveUpMs);

    private static bool IsToLead(Assignment assignment) => string.Equals(assignment.Role, LedChannel.LeaderRole, StringComparison.Ordinal);

    private static void ThrowIfSeen(ChannelSlot slot, string channel, long term)
    {
        if (term <= slot.SeenTerm)
        {
            throw new ApiException(ApiErrorCode.Conflict, $"channel {channel} was seen at term {slot.SeenTerm}: term {term} is not above it");
        }
    }

    private ChannelSlot SlotOf(string channel) => _slots.GetOrAdd(channel, static _ => new ChannelSlot());

    private bool Order(ChannelSlot slot, string channel, long term)
    {
        var lifetime = Volatile.Read(ref _lifetime);
        return orders.Add(channel, term, (_, at) => OpenBehindAsync(slot, channel, at, lifetime));
    }

    private async Task OpenBehindAsync(ChannelSlot slot, string channel, long term, int lifetime)
    {
        await slot.Turn.WaitAsync();
        try
        {
            if (term > slot.SeenTerm && lifetime == Volatile.Read(ref _lifetime))
            {
                await OpenInTurnAsync(slot, channel, term);
            }
        }
        catch (ApiException e)
        {
            LogNotOpened(log, channel, term, e.Message);
        }
        catch (Exception e)
        {
            // Closing what was open at a lower term failed, which its own log has more of; the next beat orders it again.
            LogOpenFailed(log, e, channel, term);
        }
        finally
        {
            slot.Turn.Release();
        }
    }

    private async Task<LedChannel> OpenInTurnAsync(ChannelSlot slot, string channel, long term)
    {
        var since = time.GetTimestamp();
        try
        {
            await slot.CloseCurrentAsync();
            var led = await opener.OpenAsync(channel, term);
            slot.HasLed = true;
            slot.ForgetFailure();
            cannotLead.Withdraw(channel);

            // Before the term: who sees the term finds the channel.
            slot.Current = led;
            slot.SeenTerm = term;
            slot.Watch = WatchAsync(slot, led);
            _opened.Pulse();
            return led;
        }
        catch (WalTermRefusedException e)
        {
            slot.SeenTerm = Math.Max(slot.SeenTerm, e.CurrentTerm);
            if (e.CurrentTerm == term && slot.FailedTerm == term)
            {
                // An earlier try of our own took the term in the manifest and then failed: nobody can lead at it any more, and no further try is made.
                slot.HalfOpenedTerm = term;
                cannotLead.Add(channel, term, "it took the term in the log and then could not open it");
            }

            throw new ApiException(ApiErrorCode.Conflict, $"channel {channel} has been opened at term {e.CurrentTerm}: term {term} is not above it");
        }
        catch (WalFencedException)
        {
            slot.SeenTerm = term;
            throw new ApiException(ApiErrorCode.Conflict, $"channel {channel} was opened by another node while this one opened it at term {term}");
        }
        catch (Exception e) when (e is WalDamagedException or InvalidDataException)
        {
            // No term repairs a damaged log, and no other node: trying again would only take the node's other channels with it.
            slot.SeenTerm = term;
            LogDamaged(log, e, channel, term);
            throw new ApiException(ApiErrorCode.Internal, $"the log of channel {channel} is damaged; the node's log has the details");
        }
        catch (Exception e)
        {
            slot.Failed(term, since);
            LogOpenFailed(log, e, channel, term);
            if (time.GetElapsedTime(slot.FailedSince) >= GiveUp)
            {
                cannotLead.Add(channel, term, "its log cannot be opened from here");
            }

            throw new ApiException(ApiErrorCode.Unavailable, $"channel {channel} could not be opened at term {term}; the node's log has the details") { RetryAfterSeconds = 1 };
        }
        finally
        {
            waits.Settled(channel, Math.Max(term, slot.SeenTerm));
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Channel {Channel} was not opened at term {Term}: {Reason}")]
    private static partial void LogNotOpened(ILogger log, string channel, long term, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Opening channel {Channel} at term {Term} failed")]
    private static partial void LogOpenFailed(ILogger log, Exception exception, string channel, long term);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Channel {Channel} stays closed at term {Term}: its log is damaged")]
    private static partial void LogDamaged(ILogger log, Exception exception, string channel, long term);
}
