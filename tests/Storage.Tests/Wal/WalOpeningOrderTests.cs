using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>Which calls an opening makes side by side, and which one waits for which: a channel is without a leader for as long as the longest row of them.</summary>
public sealed class WalOpeningOrderTests
{
    private const string Opener = "opener";
    private readonly ModelWalStorage _model = new();
    private readonly LogState _state = new();

    [Fact]
    public async Task What_is_before_the_tail_is_read_while_that_is_being_sealed_and_the_tail_in_one_call_when_it_is()
    {
        await LeadAsync(terms: 3);
        var opening = Begin(term: 4);
        await TakeAllAsync("read manifest", "write manifest term 4 with 3 segments");

        AssertWaiting([Seal(3), Read(1), Read(2)]);
        await TakeAsync(Read(2));
        await TakeAsync(Read(1));
        AssertWaiting([Seal(3)]);
        await TakeAsync(Seal(3));

        await TakeAllAsync(Read(3), $"create {Blob(4)}");
        await TakeRestAsync();
        await opening;
        Assert.Equal(["1", "2", "3"], _state.Texts);
    }

    [Fact]
    public async Task Not_all_segments_of_a_long_row_are_asked_for_at_once_and_each_that_was_read_makes_room_for_the_next()
    {
        await LeadAsync(terms: 13);
        var opening = Begin(term: 14);
        await TakeAllAsync("read manifest", "write manifest term 14 with 13 segments");

        AssertWaiting([Seal(13), .. Enumerable.Range(1, 9).Select(Read)]);
        await TakeAsync(Read(1));
        AssertWaiting([Seal(13), .. Enumerable.Range(2, 9).Select(Read)]);

        await TakeRestAsync();
        await opening;
        Assert.Equal(Enumerable.Range(1, 13).Select(n => $"{n}"), _state.Texts);
    }

    [Fact]
    public async Task A_small_snapshot_is_read_in_one_call_beside_what_is_behind_it()
    {
        await LeadAsync(terms: 2, snapshotAt: 1);
        await LeadAsync(terms: 3, from: 3);
        var opening = Begin(term: 4);
        await TakeAllAsync("read manifest", "write manifest term 4 with 3 segments");

        AssertWaiting([Seal(3), Read(2), $"read {new WalSnapshotEntry(1, 1, 0, 0, 0).BlobName("ch")} from 0"]);
        await TakeAsync(Seal(3));
        await TakeAsync(Waiting()[1]);
        await TakeAsync(Read(2));
        await TakeAllAsync(Read(3));
        await TakeRestAsync();
        await opening;
        Assert.Equal((1, "1 2 3"), (_state.RestoredLsn, string.Join(' ', _state.Texts)));
    }

    [Fact]
    public async Task An_opening_that_finds_damage_before_the_tail_ends_when_nothing_of_it_is_under_way()
    {
        await LeadAsync(terms: 3);
        _model.Tamper(Blob(1), bytes => [.. bytes.SkipLast(1)]);
        var opening = Begin(term: 4);
        await TakeAllAsync("read manifest", "write manifest term 4 with 3 segments");

        AssertWaiting([Seal(3), Read(1), Read(2)]);
        await TakeAsync(Read(1));
        Assert.False(opening.IsCompleted);
        await TakeRestAsync();
        await Assert.ThrowsAsync<WalDamagedException>(() => opening.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.Contains($"{Opener} {Seal(3)}: Done", _model.Trace);
    }

    // A term after the other leads, and writes one record: its number.
    private async Task LeadAsync(int terms, int from = 1, int snapshotAt = 0)
    {
        for (var term = from; term <= terms; term++)
        {
            await using var writer = await new WalStore(_model.Direct(), new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance).OpenAsync("ch", term, "before", null, CancellationToken.None);
            await writer.AppendAsync($"{term}");
            if (term == snapshotAt)
            {
                var state = new LogState();
                state.Add($"{term}");
                await writer.WriteSnapshotAsync(term, state.Content, CancellationToken.None);
            }
        }
    }

    private Task<WalWriter> Begin(long term)
    {
        var opened = new TaskCompletionSource<WalWriter>(TaskCreationOptions.RunContinuationsAsynchronously);
        _model.Start(Opener, async storage =>
        {
            try
            {
                opened.SetResult(await new WalStore(storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance).OpenAsync("ch", term, Opener, _state.Replay, CancellationToken.None));
            }
            catch (WalDamagedException damage)
            {
                opened.SetException(damage);
            }
        });
        return opened.Task;
    }

    private string[] Waiting() => _model.Settle() is [] ? [] : [.. _model.Waiting(Opener).Select(c => c.What)];

    private void AssertWaiting(string[] calls)
    {
        _model.WaitFor(Opener, calls.Length);
        Assert.Equal(calls, Waiting());
    }

    // Off the test's own context: what follows the call then runs before this is over.
    private Task TakeAsync(string call) => Task.Run(() => _model.Take(Opener, Array.IndexOf(Waiting(), call), Fate.Done));

    private async Task TakeAllAsync(params string[] calls)
    {
        foreach (var call in calls)
        {
            AssertWaiting([call]);
            await TakeAsync(call);
        }
    }

    private async Task TakeRestAsync()
    {
        while (Waiting() is [var first, ..])
        {
            await TakeAsync(first);
        }
    }

    private static string Blob(int term) => new WalSegment(term, term).BlobName("ch");

    private static string Seal(int term) => $"seal {Blob(term)}";

    private static string Read(int term) => $"read {Blob(term)} from 0";
}
