using System.Net;
using Baton.Core.Api;
using Baton.Edge.Bodies;
using Baton.Edge.Hosting;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.Settings;

/// <summary>Names the setting, its value (never a secret's) and the fix.</summary>
internal sealed class GatewaySettingsCheck : IValidateOptions<GatewaySettings>, IValidateOptions<ClusterSettings>, IValidateOptions<ControlPlaneSettings>
{
    public ValidateOptionsResult Validate(string? name, GatewaySettings options)
    {
        List<string> wrong = [];
        if (!Names.IsValidId(options.Id))
        {
            wrong.Add($"Gateway:Id is \"{options.Id}\": give this gateway an id that matches [a-z0-9][a-z0-9._-]{{0,62}}.");
        }

        if (!IPAddress.TryParse(options.ListenAddress, out _))
        {
            wrong.Add($"Gateway:ListenAddress is \"{options.ListenAddress}\": give an IP address such as 127.0.0.1 or 0.0.0.0.");
        }

        CheckRange(wrong, "Gateway:ListenPort", options.ListenPort, 0, 65_535);
        CheckRange(wrong, "Gateway:HoldMs", options.HoldMs, 100, 600_000);
        CheckRange(wrong, "Gateway:AttemptTimeoutMs", options.AttemptTimeoutMs, 50, 60_000);
        CheckRange(wrong, "Gateway:ConnectTimeoutMs", options.ConnectTimeoutMs, 10, 60_000);
        CheckRange(wrong, "Gateway:MaxRequestBytesInFlight", options.MaxRequestBytesInFlight, BodyLimits.BodyBytes, 1L << 40);
        CheckRange(wrong, "Gateway:MaxAnswerBytesInFlight", options.MaxAnswerBytesInFlight, 0, 1L << 40);
        CheckRange(wrong, "Gateway:MaxHeldRequests", options.MaxHeldRequests, 1, 1_000_000);
        CheckRange(wrong, "Gateway:ProducersPerChannel", options.ProducersPerChannel, 1, 10_000);
        if (options.LogFormat is not (LogOutput.Text or LogOutput.Json))
        {
            wrong.Add($"Gateway:LogFormat is \"{options.LogFormat}\": give {LogOutput.Text} or {LogOutput.Json}.");
        }

        return Result(wrong);
    }

    public ValidateOptionsResult Validate(string? name, ClusterSettings options) =>
        options.ClientSecret.Length < ClusterSettings.MinSecretLength
            ? ValidateOptionsResult.Fail($"Cluster:ClientSecret has {options.ClientSecret.Length} characters: give the client secret of the cluster's nodes, at least {ClusterSettings.MinSecretLength}.")
            : ValidateOptionsResult.Success;

    public ValidateOptionsResult Validate(string? name, ControlPlaneSettings options)
    {
        List<string> wrong = [];
        if (options.Url is not { IsAbsoluteUri: true } url || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps))
        {
            wrong.Add($"ControlPlane:Url is \"{options.Url}\": give the absolute http(s) base address of the cluster's function app.");
        }

        if (options.Key.Length == 0)
        {
            wrong.Add("ControlPlane:Key is empty: give a function key of the control plane.");
        }

        return Result(wrong);
    }

    private static void CheckRange(List<string> wrong, string setting, long value, long least, long most)
    {
        if (value < least || value > most)
        {
            wrong.Add($"{setting} is {value}: give a number from {least} to {most}.");
        }
    }

    private static ValidateOptionsResult Result(List<string> wrong) => wrong.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(wrong);
}
