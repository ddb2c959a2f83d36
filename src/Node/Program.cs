using Baton.Edge.Hosting;
using Baton.Node;
using Baton.Node.Leadership;

if (await Startup.BuildAsync(() => NodeApplication.Build(args)) is not { } app)
{
    return Startup.WrongSettings;
}

await using (app)
{
    // Running ends with everything disposed of.
    var membership = app.Services.GetRequiredService<Membership>();
    await app.RunAsync();
    return membership.ExitCode;
}
