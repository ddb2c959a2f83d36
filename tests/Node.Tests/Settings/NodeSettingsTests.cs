using Baton.Edge.Settings;
using Baton.Node.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Baton.Node.Tests.Settings;

public sealed class NodeSettingsTests
{
    private static readonly NodeSettingsCheck Check = new();

    [Theory]
    [InlineData("Node:Id", "Node 1", "Node:Id is \"Node 1\"")]
    [InlineData("Node:Id", "", "Node:Id is \"\"")]
    [InlineData("Node:Endpoint", "ftp://node", "Node:Endpoint is \"ftp://node/\"")]
    [InlineData("Node:ListenAddress", "everywhere", "Node:ListenAddress is \"everywhere\"")]
    [InlineData("Node:ListenPort", "70000", "Node:ListenPort is 70000")]
    [InlineData("Node:HeartbeatIntervalMs", "0", "Node:HeartbeatIntervalMs is 0")]
    [InlineData("Node:SnapshotEveryRecords", "99", "Node:SnapshotEveryRecords is 99")]
    [InlineData("Node:MaxRequestBytesInFlight", "8388607", "Node:MaxRequestBytesInFlight is 8388607: give a number from 8388608")]
    [InlineData("Node:MaxWaitingReaders", "0", "Node:MaxWaitingReaders is 0")]
    [InlineData("Node:MaxRecentBytes", "-1", "Node:MaxRecentBytes is -1")]
    [InlineData("Node:MaxSnapshotsAtOnce", "0", "Node:MaxSnapshotsAtOnce is 0")]
    [InlineData("Node:OpensAtOnce", "0", "Node:OpensAtOnce is 0")]
    [InlineData("Node:OpenWaitMs", "-1", "Node:OpenWaitMs is -1")]
    [InlineData("Node:OpenGiveUpMs", "9", "Node:OpenGiveUpMs is 9")]
    [InlineData("Node:DrainTimeoutMs", "99", "Node:DrainTimeoutMs is 99")]
    [InlineData("Node:DrainTimeoutMs", "-1", "Node:DrainTimeoutMs is -1")]
    [InlineData("Node:RejoinTimeoutMs", "999", "Node:RejoinTimeoutMs is 999")]
    [InlineData("Node:LogFormat", "xml", "Node:LogFormat is \"xml\"")]
    [InlineData("Node:Capacity", "0", "Node:Capacity is 0")]
    [InlineData("Cluster:Id", "B", "Cluster:Id is \"B\"")]
    [InlineData("Cluster:Secret", "short", "Cluster:Secret has 5 characters")]
    [InlineData("Cluster:ClientSecret", "control-secret-0123456789", "Cluster:ClientSecret equals Cluster:Secret")]
    [InlineData("Cluster:ReplicationSecret", "short", "Cluster:ReplicationSecret has 5 characters: give a random secret of at least 16")]
    [InlineData("Cluster:ReplicationSecret", "control-secret-0123456789", "Cluster:ReplicationSecret equals Cluster:Secret")]
    [InlineData("Cluster:ReplicationSecret", "client-secret-0123456789", "Cluster:ReplicationSecret equals Cluster:ClientSecret")]
    [InlineData("ControlPlane:Url", "/relative", "ControlPlane:Url is")]
    [InlineData("ControlPlane:Key", "", "ControlPlane:Key is empty")]
    [InlineData("Storage:ConnectionString", "", "Storage:BlobServiceUri")]
    [InlineData("Wal:MaxAttempts", "0", "Wal:MaxAttempts")]
    public void A_wrong_setting_stops_the_start_and_is_named(string setting, string value, string expected)
    {
        var values = Good();
        values[setting] = value;
        var e = Assert.Throws<OptionsValidationException>(() => NodeApplication.Build([], builder =>
        {
            builder.Logging.ClearProviders();
            builder.Configuration.AddInMemoryCollection(values);
        }));
        Assert.Contains(expected, Assert.Single(e.Failures), StringComparison.Ordinal);
    }

    [Fact]
    public void A_secret_is_never_part_of_a_message()
    {
        var result = Check.Validate(null, new ClusterSettings { Id = "b", Secret = "tiny-secret", ClientSecret = "tiny-client", ReplicationSecret = "tiny-other" });
        Assert.True(result.Failed);
        Assert.DoesNotContain("tiny", result.FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void Good_settings_pass()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(Good()).Build();
        Assert.True(Check.Validate(null, configuration.GetSection("Node").Get<NodeSettings>()!).Succeeded);
        Assert.True(Check.Validate(null, configuration.GetSection("Cluster").Get<ClusterSettings>()!).Succeeded);
        Assert.True(new ControlPlaneSettingsCheck().Validate(null, configuration.GetSection("ControlPlane").Get<ControlPlaneSettings>()!).Succeeded);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("replication-secret-0123456789")]
    public void A_replication_secret_may_be_left_out(string? secret)
    {
        var values = Good();
        values["Cluster:ReplicationSecret"] = secret;
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(values).Build();
        Assert.True(Check.Validate(null, configuration.GetSection("Cluster").Get<ClusterSettings>()!).Succeeded);
    }

    private static Dictionary<string, string?> Good() => new(StringComparer.OrdinalIgnoreCase)
    {
        ["Node:Id"] = "node-1",
        ["Node:ListenPort"] = "0",
        ["Cluster:Id"] = "b",
        ["Cluster:Secret"] = "control-secret-0123456789",
        ["Cluster:ClientSecret"] = "client-secret-0123456789",
        ["ControlPlane:Url"] = "http://127.0.0.1:7071",
        ["ControlPlane:Key"] = "key",
        ["Storage:ConnectionString"] = "UseDevelopmentStorage=true",
    };
}
