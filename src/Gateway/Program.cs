using Baton.Gateway;
using Microsoft.Extensions.Options;

WebApplication app;
try
{
    app = GatewayApplication.Build(args);
}
catch (Exception e) when (e is OptionsValidationException or AggregateException or InvalidOperationException)
{
    // Settings are the operator's to mend: one line each, no stack.
    IEnumerable<Exception> sections = e is AggregateException many ? many.InnerExceptions : [e];
    foreach (var line in sections.SelectMany(s => s is OptionsValidationException wrong ? wrong.Failures : [s.Message]))
    {
        await Console.Error.WriteLineAsync(line);
    }

    return 2;
}

await using (app)
{
    // Running ends with everything disposed of.
    await app.RunAsync();
    return 0;
}
