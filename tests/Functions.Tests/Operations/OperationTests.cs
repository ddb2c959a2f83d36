using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Operations;
using Baton.Functions.Broadcasts;
using Baton.Functions.Operations;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Timeline;
using Baton.Testing;

namespace Baton.Functions.Tests.Operations;

public sealed class OperationTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly BroadcastInput Input = new("op", 1);

    [Fact]
    public async Task A_request_inserts_once_counts_while_it_runs_and_reopens_what_failed()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var first = await RequestAsync(plane);
        var second = await RequestAsync(plane);
        Assert.Equal((1, 1L, 1, 2L), (first.Attempt, first.Requests, second.Attempt, second.Requests));

        await plane.Operations.RecordStepAsync("op", 1, "Begin", null, default);
        await plane.Operations.KeepNoteAsync("op", "way", new OperationStep("kept", DateTimeOffset.UnixEpoch), default);
        await plane.Operations.FinishAsync(new OperationEnd("op", "op-1", ApiError.Conflict("no")), default);
        var reopened = await RequestAsync(plane);
        Assert.Equal((OperationStatus.Running, 2, 2, 1L, null), (reopened.Status, reopened.Attempt, reopened.FirstAttempt, reopened.Requests, reopened.Error));
        Assert.Empty(await plane.Operations.ReadStepsAsync("op", default));
        Assert.NotNull(await plane.Operations.ReadNoteAsync<OperationStep>("op", "way", default));

        await plane.Operations.FinishAsync(new OperationEnd("op", "op-2"), default);
        Assert.Equal(OperationStatus.Succeeded, (await RequestAsync(plane)).Status);
    }

    [Fact]
    public async Task Requests_at_once_are_one_operation()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var heads = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => RequestAsync(plane)));

        Assert.Single(heads, h => h.Requests == 1);
        Assert.All(heads, h => Assert.Equal(1, h.Attempt));
    }

    [Fact]
    public async Task A_repeated_step_keeps_its_first_time_and_takes_over_its_detail()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.Operations.RecordStepAsync("op", 1, "Append", "0 of 2", default);
        var first = Assert.Single(await plane.Operations.ReadStepsAsync("op", default));
        plane.Time.Advance(TimeSpan.FromMinutes(1));

        await plane.Operations.RecordStepAsync("op", 1, "Append", "1 of 2", default);
        await plane.Operations.RecordStepAsync("op", 1, "Append", null, default);

        Assert.Equal(first with { Detail = "1 of 2" }, Assert.Single(await plane.Operations.ReadStepsAsync("op", default)));
    }

    [Fact]
    public async Task The_first_result_stays()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        Assert.True(await plane.Operations.KeepResultAsync("op", Input, default));
        Assert.False(await plane.Operations.KeepResultAsync("op", Input with { BroadcastId = 2 }, default));

        Assert.Equal(Input, await plane.Operations.ReadResultAsync<BroadcastInput>("op", default));
    }

    [Fact]
    public async Task An_operation_that_was_asked_for_again_does_not_end()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await RequestAsync(plane);
        await RequestAsync(plane);

        Assert.False(await plane.Operations.FinishAsync(new OperationEnd("op", "op-1", RequestsServed: 1), default));
        Assert.True(await plane.Operations.FinishAsync(new OperationEnd("op", "op-1", RequestsServed: 2), default));
    }

    [Fact]
    public async Task The_end_of_an_earlier_run_that_comes_late_neither_ends_the_present_run_nor_takes_its_locks()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await RequestAsync(plane);
        await FinishAsync(plane, "op-1", ApiError.Conflict("no"));
        await RequestAsync(plane);
        await plane.Get<LockStore>().TryAcquireAsync("op", ResourceLocks.ExclusiveCluster, default);

        Assert.True(await FinishAsync(plane, "op-1", ApiError.Conflict("no")));
        Assert.Equal((OperationStatus.Running, 2), await StandAsync(plane));
        Assert.NotEmpty(await plane.LocksAsync());

        Assert.True(await FinishAsync(plane, "op-2", error: null));
        Assert.Equal((OperationStatus.Succeeded, 2), await StandAsync(plane));
        Assert.Empty(await plane.LocksAsync());
    }

    [Fact]
    public async Task The_sweep_starts_the_next_attempt_of_an_operation_whose_instance_is_missing_but_not_before_its_grace()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddIncompleteAsync(1, Scenes.Drop.VChannels);
        await RequestAsync(plane);

        await plane.SweepAsync();
        Assert.Empty(plane.Engine.InstanceIds);

        plane.Time.Advance(OperationSweep.StartGrace);
        await Task.WhenAll(plane.SweepAsync(), plane.SweepAsync());
        Assert.Equal(["op-2"], plane.Engine.InstanceIds);
        await plane.Engine.EndOfAsync("op-2");
        Assert.Equal((OperationStatus.Succeeded, 2), await StandAsync(plane));
    }

    [Fact]
    public async Task The_sweep_leaves_alone_what_runs_and_what_is_finished()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddIncompleteAsync(1, Scenes.Drop.VChannels);
        var hold = new TaskCompletionSource();
        plane.Engine.BeforeActivity = _ => hold.Task;
        await plane.Get<OperationStarter>().RequestAsync(plane.Engine, "op", "Broadcast", Input, OperationStarter.UnlessSucceeded, default);
        plane.Time.Advance(TimeSpan.FromHours(1));

        await plane.SweepAsync();
        Assert.Equal((OperationStatus.Running, 1), await StandAsync(plane));
        hold.SetResult();
        await plane.Engine.EndOfAsync("op-1");
        await plane.SweepAsync();

        Assert.Equal((OperationStatus.Succeeded, 1), await StandAsync(plane));
        Assert.Equal(["op-1"], plane.Engine.InstanceIds);
    }

    [Fact]
    public async Task After_twenty_lost_attempts_it_is_given_up_with_its_reason_its_locks_go_and_asking_again_goes_on()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await RequestAsync(plane);
        Assert.Null(await plane.Get<LockStore>().TryAcquireAsync("op", ResourceLocks.ExclusiveCluster, default));
        for (var sweep = 0; sweep < OperationSweep.MaxAttempts; sweep++)
        {
            Assert.Equal((OperationStatus.Running, sweep + 1), await StandAsync(plane));
            plane.Time.Advance(OperationSweep.StartGrace);

            // Broadcast 1 does not exist: every attempt that is started fails.
            await plane.SweepAsync();
            await Task.WhenAll(plane.Engine.InstanceIds.Select(plane.Engine.EndOfAsync));
        }

        var head = (await plane.Operations.ReadHeadAsync("op", default))!;
        Assert.Equal((OperationStatus.Failed, ApiErrorCode.Unavailable), (head.Status, head.Error!.Code));
        Assert.Contains("There is no broadcast 1", head.Error.Detail, StringComparison.Ordinal);
        Assert.Contains(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.OperationFailed);
        Assert.Empty(await plane.LocksAsync());
        Assert.Equal((OperationStatus.Running, 21), ((await RequestAsync(plane)).Status, (await plane.Operations.ReadHeadAsync("op", default))!.Attempt));
    }

    [Fact]
    public async Task A_lock_is_entered_again_by_its_owner_and_by_nobody_else_until_it_is_released()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        var locks = plane.Get<LockStore>();

        Assert.Null(await locks.TryAcquireAsync("promote", ResourceLocks.ExclusiveCluster, default));
        Assert.Null(await locks.TryAcquireAsync("promote", ResourceLocks.ExclusiveCluster, default));
        Assert.Equal(["promote"], await locks.TryAcquireAsync("broadcast-1", ResourceLocks.KeysOf([]), default));
        await locks.ReleaseAsync("promote", default);

        Assert.Null(await locks.TryAcquireAsync("broadcast-1", ResourceLocks.KeysOf([]), default));
        Assert.Null(await locks.TryAcquireAsync("broadcast-2", ResourceLocks.KeysOf([]), default));
    }

    [Fact]
    public async Task A_release_decided_before_its_owner_entered_again_does_not_take_the_lock_away()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        var locks = plane.Get<LockStore>();
        await locks.TryAcquireAsync("op", ResourceLocks.ExclusiveCluster, default);
        var reopened = false;

        await locks.ReleaseFinishedAsync(
            async (owner, ct) =>
            {
                var finished = !reopened;
                if (!reopened)
                {
                    reopened = true;
                    Assert.Null(await locks.TryAcquireAsync(owner, ResourceLocks.ExclusiveCluster, ct));
                }

                return finished;
            },
            default);

        Assert.Single(await plane.LocksAsync());
    }

    [Fact]
    public async Task An_operation_is_read_with_its_steps_and_an_unknown_one_is_404()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await RequestAsync(plane);
        await plane.Operations.RecordStepAsync("op", 1, "Lock", null, default);

        var found = await plane.CallAsync<OperationRead>((f, r) => f.RunAsync(r, default), null, ("id", "op"));
        var missing = await plane.CallAsync<OperationRead>((f, r) => f.RunAsync(r, default), null, ("id", "nothing"));

        Assert.Equal("Lock", Assert.Single(found.Read<Operation>().Steps).Name);
        Assert.Equal((404, "NotFound"), (missing.Status, missing.Problem.Code));
    }

    private static Task<bool> FinishAsync(ControlPlane plane, string instanceId, ApiError? error) =>
        plane.RunAsync<FinishOperation, bool>(f => f.RunAsync(new OperationEnd("op", instanceId, error), default));

    private static Task<OperationHead> RequestAsync(ControlPlane plane) =>
        plane.Operations.RequestAsync("op", "Broadcast", Input, OperationStarter.UnlessSucceeded, default);

    private static async Task<(OperationStatus Status, int Attempt)> StandAsync(ControlPlane plane)
    {
        var head = (await plane.Operations.ReadHeadAsync("op", default))!;
        return (head.Status, head.Attempt);
    }
}
