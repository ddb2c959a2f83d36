using Baton.Gateway;

await GatewayApplication.Build(args).RunAsync();
