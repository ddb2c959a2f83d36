using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Baton.Edge.Hosting;

/// <summary>Setting <c>LogFormat</c> of the process' own section: the same entries for people or for machines, on standard output, times in UTC.</summary>
public static class LogOutput
{
    /// <summary>A line each.</summary>
    public const string Text = "text";

    /// <summary>An object a line, with every named property of the entry.</summary>
    public const string Json = "json";

    /// <summary>Prints what is logged. Which form is looked up when the first entry is: a form that does not exist stops the start before.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="setting">The setting's whole name.</param>
    public static void Add(WebApplicationBuilder builder, string setting)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Logging.ClearProviders();
        // The framework has several entries for each request. Below every other source, so that any of them can ask for them.
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = [new("Logging:LogLevel:Microsoft.AspNetCore", nameof(LogLevel.Warning))] });
        builder.Logging.AddSimpleConsole(console => (console.SingleLine, console.UseUtcTimestamp, console.TimestampFormat) = (true, true, "yyyy-MM-ddTHH:mm:ss.fffZ "));
        builder.Logging.AddJsonConsole(console => (console.UseUtcTimestamp, console.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ"));
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.FormatterName = builder.Configuration[setting] == Json ? ConsoleFormatterNames.Json : ConsoleFormatterNames.Simple);
    }
}
