using Baton.Storage;
using Baton.Storage.Wal;
using Baton.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Node.Tests.Harness;

/// <summary>One storage account for the tests of a class. Every test uses channels of its own names, so that none sees another's log.</summary>
public sealed class NodeFixture : IAsyncLifetime
{
    private readonly AzuriteFixture _azurite = new();

    public string ConnectionString { get; private set; } = "";

    public async Task InitializeAsync()
    {
        await _azurite.InitializeAsync();
        ConnectionString = _azurite.NewAccount();
    }

    public Task DisposeAsync() => _azurite.DisposeAsync();

    /// <summary>A channel name that no other test uses.</summary>
    internal static string NewChannel() => $"ch-{Guid.NewGuid():N}"[..15];

    /// <summary>An account of its own, for a test of a log whose name is given.</summary>
    internal string NewAccount() => _azurite.NewAccount();

    /// <summary>Fences logs as another process would.</summary>
    internal WalStore OpenStore(string? account = null) =>
        new(BatonStorage.Open(new StorageOptions { ConnectionString = account ?? ConnectionString }), new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
}
