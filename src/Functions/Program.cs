using Baton.Functions;
using Baton.Functions.Hosting;
using Microsoft.Extensions.Options;

try
{
    var catalog = FunctionCatalog.Scan(typeof(FunctionCatalog).Assembly);
    if (args is ["--write-function-json", var folder])
    {
        FunctionJson.Write(catalog, folder);
        return 0;
    }

    var builder = FunctionsApp.CreateBuilder(args, catalog);
    builder.Services.AddCapabilities(builder.Configuration);
    await using var app = FunctionsApp.Build(builder);
    await app.RunAsync();
    return FunctionsApp.StoppedExitCode;
}
catch (OperationCanceledException)
{
    // Asked to stop while it was still starting.
    return FunctionsApp.StoppedExitCode;
}
catch (InvalidDeclarationException e)
{
    // The form in which the build takes a line for an error of its own.
    foreach (var problem in e.Problems)
    {
        await Console.Error.WriteLineAsync($"Baton.Functions : error BATON001: {problem}");
    }

    return 1;
}
catch (OptionsValidationException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}
catch (Exception e)
{
    await Console.Error.WriteLineAsync($"Baton cannot start. {e}");
    return 1;
}
