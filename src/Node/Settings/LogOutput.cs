using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Logging.Console;

namespace Baton.Node.Settings;

/// <summary>Setting <c>Node:LogFormat</c>: the same entries for people or for machines, on standard output, times in UTC.</summary>
internal static class LogOutput
{
    /// <summary>A line each.</summary>
    public const string Text = "text";

    /// <summary>An object a line, with every named property of the entry.</summary>
    public const string Json = "json";

    /// <summary>Prints what is logged. Which form is looked up when the first entry is: a form that does not exist stops the start before.</summary>
    public static void Add(WebApplicationBuilder builder)
    {
        // The framework has several entries for each request. Below every other source, so that any of them can ask for them.
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = [new("Logging:LogLevel:Microsoft.AspNetCore", nameof(LogLevel.Warning))] });
        builder.Logging.AddSimpleConsole(console => (console.SingleLine, console.UseUtcTimestamp, console.TimestampFormat) = (true, true, "yyyy-MM-ddTHH:mm:ss.fffZ "));
        builder.Logging.AddJsonConsole(console => (console.UseUtcTimestamp, console.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ"));
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.FormatterName = IsJson(builder.Configuration) ? ConsoleFormatterNames.Json : ConsoleFormatterNames.Simple);
    }

    private static bool IsJson(ConfigurationManager configuration) => configuration[$"{NodeSettings.Section}:{nameof(NodeSettings.LogFormat)}"] == Json;
}
