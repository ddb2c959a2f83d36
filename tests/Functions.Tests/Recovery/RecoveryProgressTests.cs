using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Recovery;
using Baton.Functions.Recovery;

namespace Baton.Functions.Tests.Recovery;

public sealed class RecoveryProgressTests
{
    private static readonly TimeSpan Pin = TimeSpan.FromMinutes(2);

    private static ReplicaSender Sender { get; } =
        new ReplicaSender(new ReplicaKey("ch1", "n2"), new ReplicaEndpoint(new Uri("http://127.0.0.1:1"), new Uri("http://127.0.0.1:1"), 1), 3).Attach(7, 3, SessionKind.Catchup).Sender;

    // An execution of the orchestration has fewer rounds than that: what it hands on to the next is JSON.
    [Fact]
    public void Sixty_actions_in_a_row_that_nobody_answers_end_a_session_however_many_executions_they_took()
    {
        var progress = new RecoveryProgress(1, Pin, RecoveryRun.Start(Sender, 0));
        progress = Enumerable.Range(0, 59).Aggregate(progress, (p, _) => HandedOn(p).After(new RecoveryAnswer(RecoveryResult.NoAnswer), DateTime.UnixEpoch));
        Assert.True(progress.Run!.Sender.HasActiveSession);

        var answered = progress.After(RecoveryAnswer.Done, DateTime.UnixEpoch);
        Assert.True(answered.After(new RecoveryAnswer(RecoveryResult.NoAnswer), DateTime.UnixEpoch).Run!.Sender.HasActiveSession);

        progress = progress.After(new RecoveryAnswer(RecoveryResult.NoAnswer), DateTime.UnixEpoch);
        Assert.True(progress.Run!.IsOver);
        Assert.Equal((RecoveryEvents.ConnectFailed, "nobody answered"), (progress.Unwritten![^1].Event, progress.Unwritten[^1].Detail));

        static RecoveryProgress HandedOn(RecoveryProgress p) => JsonSerializer.Deserialize<RecoveryProgress>(JsonSerializer.Serialize(p, BatonJson.Options), BatonJson.Options)!;
    }

    // What is to be done then names no record to keep the log from: renewed all the same, it would be kept from its very first, which a log that was shortened refuses.
    [Fact]
    public void The_log_is_asked_to_be_kept_again_only_where_records_are_still_to_be_fetched()
    {
        var run = RecoveryRun.Start(Sender, 0).Connected(0).Run
            .Handshaken(new ReplicaPosition(100, new RecordMark(2, 1)), new RetainedHistory(100, 40, 100), new RecordMark(3, 1), 0).Run
            .CommonFound(90, 0).Run.Pinned(0).Run;
        var (pinned, later) = (DateTime.UnixEpoch, DateTime.UnixEpoch + Pin);
        RecoveryProgress At(RecoveryRun r) => new(1, Pin, r, PinnedAt: pinned);

        Assert.Equal(RecoveryActionKind.Truncate, run.Next.Kind);
        Assert.False(At(run).MustRenewPin(later));

        run = run.Truncated(90, 0).Run;
        Assert.Equal(RecoveryActionKind.CatchUp, run.Next.Kind);
        Assert.True(At(run).MustRenewPin(later));
        Assert.False(At(run).MustRenewPin(pinned));

        run = run.Progressed(100, 0, 0).Run;
        Assert.Equal(RecoveryActionKind.Verify, run.Next.Kind);
        Assert.False(At(run).MustRenewPin(later));
    }
}
