using Baton.Edge.Hosting;
using Baton.Gateway;

if (await Startup.BuildAsync(() => GatewayApplication.Build(args)) is not { } app)
{
    return Startup.WrongSettings;
}

await using (app)
{
    // Running ends with everything disposed of.
    await app.RunAsync();
    return 0;
}
