using Baton.Core.Cluster;
using Baton.Functions.Cdc;
using Baton.Functions.Failover;
using Baton.Functions.ForcedPromotion;
using Baton.Functions.Settings;
using Baton.Functions.Topology;
using Microsoft.Extensions.Configuration;

namespace Baton.Functions.Tests.Settings;

public sealed class SettingTests
{
    [Theory]
    [InlineData("Cluster:Id", "No Id")]
    [InlineData("Cluster:Id", null)]
    [InlineData("ForceUpdate:Enabled", "yes")]
    [InlineData("Replication:RefuseWritesWhenSuperseded", "no")]
    [InlineData("Failover:HeartbeatTimeoutMs", "3s")]
    [InlineData("Placement:LeaderPolicy", "Any")]
    [InlineData("Placement:LeaderPolicy", "1")]
    [InlineData("Placement:AutoRebalance", "yes")]
    [InlineData("Placement:RebalanceDelayMs", "-1")]
    [InlineData("Failover:OpenTimeoutMs", "-1")]
    [InlineData("Failover:SuspicionCooldownMs", "99999999999")]
    [InlineData("Route:LookMs", "0")]
    public void A_setting_that_does_not_fit_is_named_with_its_value_and_what_to_do(string name, string? value)
    {
        var error = Assert.Throws<InvalidSettingException>(() => Read(name, value));

        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Contains(value ?? "missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("use ", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Cluster:Secret")]
    [InlineData("Cluster:ReplicationSecret")]
    public void A_secret_is_never_part_of_a_message(string name)
    {
        var error = Assert.Throws<InvalidSettingException>(() => Read(name, "shortsecret"));

        Assert.DoesNotContain("shortsecret", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("a-secret-long-enough", ClusterOptions.From(Settings()).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Absent_settings_take_their_documented_defaults()
    {
        Assert.Equal(FailoverOptions.Default, FailoverOptions.From(Settings()));
        Assert.Equal(new ForceUpdateOptions(true, true), ForceUpdateOptions.From(Settings()));
        Assert.Equal(new ReplicationOptions(true), ReplicationOptions.From(Settings()));
        Assert.Equal(LongPollOptions.Default, LongPollOptions.From(Settings()));
        Assert.Equal(new PlacementOptions(LeaderPolicy.PreferCoordinator, true, TimeSpan.FromMinutes(1)), PlacementOptions.From(Settings()));
        Assert.Null(ClusterOptions.From(Settings()).ReplicationSecret);
    }

    private static void Read(string name, string? value)
    {
        var settings = Settings();
        settings[name] = value;
        _ = (ClusterOptions.From(settings), ForceUpdateOptions.From(settings), FailoverOptions.From(settings), ReplicationOptions.From(settings), LongPollOptions.From(settings), PlacementOptions.From(settings));
    }

    private static IConfiguration Settings() => new ConfigurationBuilder()
        .AddInMemoryCollection([new("Cluster:Id", "b"), new("Cluster:Secret", "a-secret-long-enough")])
        .Build();
}
