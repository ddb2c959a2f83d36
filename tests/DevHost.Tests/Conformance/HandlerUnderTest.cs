using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.Handler;
using Baton.Edge.Connections;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>A custom handler, started as the Functions host starts it, but without a host: somebody else calls it.</summary>
internal sealed class HandlerUnderTest : IAsyncDisposable
{
    private readonly HandlerGeneration _handler;

    private HandlerUnderTest(HandlerGeneration handler) => _handler = handler;

    public Uri Address => _handler.Address;

    public static async Task<HandlerUnderTest> StartAsync(string appRoot)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        var app = FunctionAppReader.Read(appRoot, new AppSettings(settings), "conformance");
        var handler = HandlerGeneration.Start(app, settings, NullLogger.Instance);
        using var http = new HttpClient(new ConnectFaults(new SocketsHttpHandler()));
        var started = new HandlerUnderTest(handler);
        if (await handler.WaitUntilReadyAsync(http, app.Manifest.Handler.InitializationTimeout, TimeProvider.System, CancellationToken.None))
        {
            return started;
        }

        await started.DisposeAsync();
        throw new InvalidOperationException($"The handler did not start. Its last output:\n{handler.LastLines()}");
    }

    public ValueTask DisposeAsync() => _handler.DisposeAsync();
}
