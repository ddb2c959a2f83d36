using Microsoft.Extensions.Options;

namespace Baton.Edge.Hosting;

/// <summary>Settings that check themselves by throwing, checked at the start with the others.</summary>
public sealed class SettingsOfOthers<TOptions>(Action<TOptions> check) : IValidateOptions<TOptions>
    where TOptions : class
{
    /// <inheritdoc/>
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
