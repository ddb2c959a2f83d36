using Baton.Edge.Connections;
using Microsoft.Extensions.Options;

namespace Baton.Edge.Settings;

/// <summary>Section <c>ControlPlane</c>: where a process finds its cluster's.</summary>
public sealed class ControlPlaneSettings
{
    /// <summary>Configuration section.</summary>
    public const string Section = "ControlPlane";

    /// <summary>Base address of the function app.</summary>
    public Uri? Url { get; set; }

    /// <summary>Function key.</summary>
    public string Key { get; set; } = "";
}

/// <summary>Checks <see cref="ControlPlaneSettings"/>.</summary>
public sealed class ControlPlaneSettingsCheck : IValidateOptions<ControlPlaneSettings>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ControlPlaneSettings options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var wrong = new SettingProblems();
        if (options.Url?.IsHttp() != true)
        {
            wrong.Add($"ControlPlane:Url is \"{options.Url}\": give the absolute http(s) base address of the cluster's function app.");
        }

        if (options.Key.Length == 0)
        {
            wrong.Add("ControlPlane:Key is empty: give a function key of the control plane.");
        }

        return wrong.Result();
    }
}
