// A function app of orchestrations for tests and benchmarks, behind the same handler endpoint as the control plane.
using Baton.Functions.Hosting;
using Baton.OrchestrationApp;

await using var app = FunctionsApp.Build(FunctionsApp.CreateBuilder(args, AppFolder.Catalog()));
await app.RunAsync();
return FunctionsApp.StoppedExitCode;
