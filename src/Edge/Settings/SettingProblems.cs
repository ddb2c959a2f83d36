using System.Net;
using Baton.Edge.Hosting;
using Microsoft.Extensions.Options;

namespace Baton.Edge.Settings;

/// <summary>What is wrong with a section of settings. Each says the setting, its value (never a secret's) and the fix.</summary>
public sealed class SettingProblems
{
    private readonly List<string> _problems = [];

    /// <summary>One more.</summary>
    public void Add(string problem) => _problems.Add(problem);

    /// <summary>A number has to be from <paramref name="least"/> to <paramref name="most"/>.</summary>
    public void CheckRange(string setting, long value, long least, long most)
    {
        if (value < least || value > most)
        {
            Add($"{setting} is {value}: give a number from {least} to {most}.");
        }
    }

    /// <summary>The address that is listened on; null where there is none.</summary>
    public IPAddress? CheckListenAddress(string setting, string value)
    {
        if (IPAddress.TryParse(value, out var address))
        {
            return address;
        }

        Add($"{setting} is \"{value}\": give an IP address such as 127.0.0.1 or 0.0.0.0.");
        return null;
    }

    /// <summary>A form of <see cref="LogOutput"/>.</summary>
    public void CheckLogFormat(string setting, string value)
    {
        if (value is not (LogOutput.Text or LogOutput.Json))
        {
            Add($"{setting} is \"{value}\": give {LogOutput.Text} or {LogOutput.Json}.");
        }
    }

    /// <summary>What the check of the section ends with.</summary>
    public ValidateOptionsResult Result() => _problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(_problems);
}
