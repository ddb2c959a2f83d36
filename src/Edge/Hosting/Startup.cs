using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Options;

namespace Baton.Edge.Hosting;

/// <summary>The start of a program, as far as its operator sees it.</summary>
public static class Startup
{
    /// <summary>Exit code of a program whose settings are wrong.</summary>
    public const int WrongSettings = 2;

    /// <summary>What <paramref name="build"/> builds; null where settings are wrong, and then standard error says which.</summary>
    public static async Task<WebApplication?> BuildAsync(Func<WebApplication> build)
    {
        ArgumentNullException.ThrowIfNull(build);
        try
        {
            return build();
        }
        catch (Exception e) when (e is OptionsValidationException or AggregateException or InvalidOperationException)
        {
            // Settings are the operator's to mend: one line each, no stack.
            IEnumerable<Exception> sections = e is AggregateException many ? many.InnerExceptions : [e];
            foreach (var line in sections.SelectMany(s => s is OptionsValidationException wrong ? wrong.Failures : [s.Message]))
            {
                await Console.Error.WriteLineAsync(line);
            }

            return null;
        }
    }
}
