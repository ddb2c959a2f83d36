using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.DevHost.Clusters;
using Baton.DevHost.Demo;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>A secondary of real processes is promoted; everything is read back over HTTP.</summary>
public sealed class ForcedPromotionTests
{
    // One cluster for both: what the refusals leave behind is nothing.
    [Fact]
    public async Task Every_refusal_of_the_table_is_given_word_for_word_and_writes_nothing_and_F1_two_force_updates_at_once_give_one_promotion_and_two_equal_answers_and_the_same_again_is_unchanged()
    {
        await using var b = await PromotableCluster.StartAsync();
        var onPrimary = RefusedForceUpdate.OnPrimary(b.Self);
        await AssertRefusedAsync(b, onPrimary);
        await b.BecomeSecondaryAsync();
        await AssertSecondaryRefusesAsync(b);
        var half = await b.LeaveHalfDoneAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => b.Client.UpdateReplicateConfigurationAsync(b.ForceUpdate, CancellationToken.None)));

        // Both join one promotion and get the same answer, unless one of them came so late that it was over: that one finds nothing to change.
        var applied = answers.Where(a => a.Value.Outcome == UpdateOutcome.Applied).ToList();
        Assert.NotEmpty(applied);
        Assert.Single(applied.Select(a => a.Text).Distinct(StringComparer.Ordinal));
        Assert.All(answers.Except(applied), a => Assert.Equal(UpdateOutcome.Unchanged, a.Value.Outcome));
        Assert.Single(answers.Select(a => a.Value.OperationId).Distinct(StringComparer.Ordinal));
        var promotion = applied[0].Value.Promotion!;
        Assert.Equal((2, 1, 1), (promotion.Channels, promotion.TransactionsRolledBack, promotion.BroadcastsSupplemented));
        await b.AssertPromotedAsync(half);
        foreach (var channel in b.Cluster.Channels)
        {
            Assert.Equal(1, await b.ForcedRecordsAsync(channel));
        }

        var version = (await b.Client.ReplicateConfigurationAsync(CancellationToken.None)).Version;
        Assert.Equal(UpdateOutcome.Unchanged, (await b.Client.UpdateReplicateConfigurationAsync(b.ForceUpdate, CancellationToken.None)).Value.Outcome);
        Assert.Equal(version, (await b.Client.ReplicateConfigurationAsync(CancellationToken.None)).Version);
    }

    [Fact]
    public async Task F3_F4_A_caller_that_hangs_up_changes_nothing_and_the_meta_survives_a_restart()
    {
        await using var b = await PromotableCluster.StartAsync();
        await b.BecomeSecondaryAsync();
        var half = await b.LeaveHalfDoneAsync();

        using (var impatient = new CancellationTokenSource())
        {
            var call = b.Client.UpdateReplicateConfigurationAsync(b.ForceUpdate, impatient.Token);
            await ClusterClient.UntilAsync(
                "the promotion has begun",
                async () => (await b.Client.GetAsync<object>("api/timeline?last=20", CancellationToken.None)).Text.Contains("promote-", StringComparison.Ordinal),
                PromotableCluster.Patience,
                CancellationToken.None);
            await impatient.CancelAsync();
            try
            {
                await call;
            }
            catch (OperationCanceledException)
            {
                // Or it was quicker than the hanging up; either way the promotion has to be whole.
            }
        }

        await ClusterClient.UntilAsync(
            "b is promoted", async () => (await b.Client.UpdateReplicateConfigurationAsync(b.ForceUpdate, CancellationToken.None)).Status == 200, PromotableCluster.Patience, CancellationToken.None);
        await b.AssertPromotedAsync(half);
        var before = await b.Client.ReplicateConfigurationAsync(CancellationToken.None);

        await b.Cluster.KillControlPlaneAsync();
        await b.Cluster.StartControlPlaneAsync(null, CancellationToken.None);

        var after = await b.Client.ReplicateConfigurationAsync(CancellationToken.None);
        Assert.Equal(before.Version, after.Version);
        Assert.True(after.ForceUpdated);
        Assert.Equal(before.ForceUpdateTimestamp, after.ForceUpdateTimestamp);
        Assert.True(ReplicateEquality.Same(before.Configuration, after.Configuration));
    }

    [Fact]
    public async Task A_force_update_switched_off_by_setting_is_refused_with_403()
    {
        await using var b = await PromotableCluster.StartAsync(nodes: 1, ("ForceUpdate__Enabled", "false"));
        await b.BecomeSecondaryAsync();

        var answer = await b.Client.UpdateReplicateConfigurationAsync(b.ForceUpdate, CancellationToken.None);

        Assert.Equal((403, "FeatureDisabled", "force_update is disabled by configuration"), (answer.Status, answer.Problem?.Code, answer.Problem?.Detail));
        Assert.Equal(ClusterRole.Secondary, (await b.Client.ReplicateConfigurationAsync(CancellationToken.None)).Role);
    }

    private static async Task AssertSecondaryRefusesAsync(PromotableCluster b)
    {
        var before = await b.Client.ReplicateConfigurationAsync(CancellationToken.None);
        var timeline = (await b.Client.GetAsync<object>("api/timeline?last=100", CancellationToken.None)).Text;

        foreach (var refused in RefusedForceUpdate.OnSecondary(b.Self, PromotableCluster.Gone))
        {
            await AssertRefusedAsync(b, refused);
        }

        await AssertRefusedAsync(b, new("no cluster at all", new([]), "force_update requires configuration with exactly one cluster (current cluster only), got 0 clusters"));
        await AssertRefusedAsync(b, new("the general validator", new([b.Self with { Uri = "not a uri" }]), null));

        Assert.Equal(before.Version, (await b.Client.ReplicateConfigurationAsync(CancellationToken.None)).Version);
        Assert.Equal(timeline, (await b.Client.GetAsync<object>("api/timeline?last=100", CancellationToken.None)).Text);
    }

    private static async Task AssertRefusedAsync(PromotableCluster b, RefusedForceUpdate refused)
    {
        var answer = await b.Client.UpdateReplicateConfigurationAsync(refused.Request, CancellationToken.None);
        Assert.Equal((refused.Check, 400, nameof(ApiErrorCode.InvalidArgument)), (refused.Check, answer.Status, answer.Problem?.Code));
        if (refused.Detail is not null)
        {
            Assert.Equal(refused.Detail, answer.Problem!.Detail);
        }
    }
}
