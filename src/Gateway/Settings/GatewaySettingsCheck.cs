using Baton.Core.Api;
using Baton.Edge.Bodies;
using Baton.Edge.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.Settings;

/// <summary>Names the setting, its value (never a secret's) and the fix.</summary>
internal sealed class GatewaySettingsCheck : IValidateOptions<GatewaySettings>, IValidateOptions<ClusterSettings>
{
    public ValidateOptionsResult Validate(string? name, GatewaySettings options)
    {
        var wrong = new SettingProblems();
        if (!Names.IsValidId(options.Id))
        {
            wrong.Add($"Gateway:Id is \"{options.Id}\": give this gateway an id that matches [a-z0-9][a-z0-9._-]{{0,62}}.");
        }

        wrong.CheckListenAddress("Gateway:ListenAddress", options.ListenAddress);
        wrong.CheckRange("Gateway:ListenPort", options.ListenPort, 0, 65_535);
        wrong.CheckRange("Gateway:HoldMs", options.HoldMs, 100, 600_000);
        wrong.CheckRange("Gateway:AttemptTimeoutMs", options.AttemptTimeoutMs, 50, 60_000);
        wrong.CheckRange("Gateway:ConnectTimeoutMs", options.ConnectTimeoutMs, 10, 60_000);
        wrong.CheckRange("Gateway:MaxRequestBytesInFlight", options.MaxRequestBytesInFlight, BodyLimits.BodyBytes, 1L << 40);
        wrong.CheckRange("Gateway:MaxAnswerBytesInFlight", options.MaxAnswerBytesInFlight, 0, 1L << 40);
        wrong.CheckRange("Gateway:MaxHeldRequests", options.MaxHeldRequests, 1, 1_000_000);
        wrong.CheckRange("Gateway:ProducersPerChannel", options.ProducersPerChannel, 1, 10_000);
        wrong.CheckLogFormat("Gateway:LogFormat", options.LogFormat);
        return wrong.Result();
    }

    public ValidateOptionsResult Validate(string? name, ClusterSettings options) =>
        options.ClientSecret.Length < ClusterSettings.MinSecretLength
            ? ValidateOptionsResult.Fail($"Cluster:ClientSecret has {options.ClientSecret.Length} characters: give the client secret of the cluster's nodes, at least {ClusterSettings.MinSecretLength}.")
            : ValidateOptionsResult.Success;
}
