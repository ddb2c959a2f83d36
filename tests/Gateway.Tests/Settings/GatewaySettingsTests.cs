using Baton.Gateway.Settings;
using Baton.Gateway.Tests.Harness;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.Tests.Settings;

public sealed class GatewaySettingsTests
{
    [Theory]
    [InlineData("Gateway:Id", "Gate 1", "Gateway:Id is \"Gate 1\": give this gateway an id")]
    [InlineData("Gateway:ListenAddress", "everywhere", "Gateway:ListenAddress is \"everywhere\": give an IP address")]
    [InlineData("Gateway:ListenPort", "70000", "Gateway:ListenPort is 70000: give a number from 0 to 65535")]
    [InlineData("Gateway:HoldMs", "99", "Gateway:HoldMs is 99: give a number from 100")]
    [InlineData("Gateway:AttemptTimeoutMs", "0", "Gateway:AttemptTimeoutMs is 0")]
    [InlineData("Gateway:ConnectTimeoutMs", "60001", "Gateway:ConnectTimeoutMs is 60001")]
    [InlineData("Gateway:MaxRequestBytesInFlight", "8388607", "Gateway:MaxRequestBytesInFlight is 8388607: give a number from 8388608")]
    [InlineData("Gateway:MaxAnswerBytesInFlight", "-1", "Gateway:MaxAnswerBytesInFlight is -1")]
    [InlineData("Gateway:MaxHeldRequests", "0", "Gateway:MaxHeldRequests is 0")]
    [InlineData("Gateway:ProducersPerChannel", "0", "Gateway:ProducersPerChannel is 0")]
    [InlineData("Gateway:LogFormat", "xml", "Gateway:LogFormat is \"xml\"")]
    [InlineData("Cluster:ClientSecret", "tiny-secret", "Cluster:ClientSecret has 11 characters")]
    [InlineData("ControlPlane:Url", "/relative", "ControlPlane:Url is \"/relative\"")]
    [InlineData("ControlPlane:Key", "", "ControlPlane:Key is empty")]
    public void A_wrong_setting_stops_the_start_and_is_named(string setting, string value, string expected)
    {
        var values = TestGateway.Good(new Uri("http://127.0.0.1:1"));
        values[setting] = value;
        var e = Assert.Throws<OptionsValidationException>(() => GatewayApplication.Build([], builder =>
        {
            builder.Logging.ClearProviders();
            builder.Configuration.AddInMemoryCollection(values);
        }));
        var failure = Assert.Single(e.Failures);
        Assert.Contains(expected, failure, StringComparison.Ordinal);
        Assert.DoesNotContain("tiny", failure, StringComparison.Ordinal);
    }

    /// <summary>TCP sends the first packet of a connection again after a second. Who gave up then would report a node for one lost packet.</summary>
    [Fact]
    public void One_lost_packet_is_no_dead_node() => Assert.InRange(new GatewaySettings().ConnectTimeoutMs, 1_250, new GatewaySettings().AttemptTimeoutMs - 250);
}
