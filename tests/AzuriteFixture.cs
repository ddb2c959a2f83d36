using Baton.DevHost.Azurite;

namespace Baton.Testing;

/// <summary>One Azurite for a test assembly, in memory, on free ports. Every test that asks gets an account of its own, so tests never see each other's data.</summary>
public sealed class AzuriteFixture : IAsyncLifetime
{
    private const int AccountCount = 800;
    private readonly AzuriteAccount[] _accounts = [.. Enumerable.Range(0, AccountCount).Select(i => AzuriteAccount.Create($"test{i:D4}"))];
    private AzuriteServer? _server;
    private int _handedOut = -1;

    /// <summary>The running server.</summary>
    public AzuriteServer Server => _server ?? throw new InvalidOperationException("The fixture has not started.");

    /// <summary>The connection string of an account that nobody has used.</summary>
    public string NewAccount() => Server.ConnectionString(NewAzuriteAccount().Name);

    /// <summary>An account that nobody has used.</summary>
    public AzuriteAccount NewAzuriteAccount()
    {
        var index = Interlocked.Increment(ref _handedOut);
        return index < AccountCount ? _accounts[index] : throw new InvalidOperationException($"More than {AccountCount} accounts asked for: raise AccountCount.");
    }

    public async Task InitializeAsync() =>
        _server = await AzuriteServer.StartAsync(new AzuriteOptions { Accounts = _accounts }, CancellationToken.None);

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }
}

/// <summary>Tests that need storage carry <c>[Collection(AzuriteTests.Name)]</c>.</summary>
[CollectionDefinition(Name)]
public sealed class AzuriteTests : ICollectionFixture<AzuriteFixture>
{
    public const string Name = "azurite";
}
