using Microsoft.Extensions.Options;

namespace Baton.Node.Settings;

/// <summary>Settings that check themselves by throwing, checked at the start with the others.</summary>
internal sealed class SettingsOfOthers<TOptions>(Action<TOptions> check) : IValidateOptions<TOptions>
    where TOptions : class
{
    public ValidateOptionsResult Validate(string? name, TOptions options)
    {
        try
        {
            check(options);
            return ValidateOptionsResult.Success;
        }
        catch (InvalidOperationException e)
        {
            // Its message names the setting, its value unless secret, and the fix.
            return ValidateOptionsResult.Fail(e.Message);
        }
    }
}
