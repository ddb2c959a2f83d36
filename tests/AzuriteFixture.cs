using Baton.DevHost.Azurite;

namespace Baton.Testing;

/// <summary>
/// Storage for the tests of a class: one of the services that the classes of an assembly share, in memory, on free ports, started when the first class asks for it and gone with this process. Every
/// test that asks gets an account of its own, so tests never see each other's data.
/// </summary>
public sealed class AzuriteFixture : IAsyncLifetime
{
    private const int AccountCount = 800;

    // One service has one thread: with a single one, classes that run beside each other would wait for it.
    private const int ServerCount = 2;
    private static readonly AzuriteAccount[] Accounts = [.. Enumerable.Range(0, AccountCount).Select(i => AzuriteAccount.Create($"test{i:D4}"))];
    private static readonly Lazy<Task<AzuriteServer>>[] Servers =
        [.. Enumerable.Range(0, ServerCount).Select(_ => new Lazy<Task<AzuriteServer>>(() => AzuriteServer.StartAsync(new AzuriteOptions { Accounts = Accounts }, CancellationToken.None)))];

    private static int _accountsTaken = -1;
    private static int _fixtures = -1;

    private AzuriteServer? _server;

    /// <summary>The running server.</summary>
    public AzuriteServer Server => _server ?? throw new InvalidOperationException("The fixture has not started.");

    /// <summary>The connection string of an account that nobody has used.</summary>
    public string NewAccount() => Server.ConnectionString(NewAzuriteAccount().Name);

    /// <summary>An account that nobody has used.</summary>
    public static AzuriteAccount NewAzuriteAccount()
    {
        var index = Interlocked.Increment(ref _accountsTaken);
        return index < AccountCount ? Accounts[index] : throw new InvalidOperationException($"More than {AccountCount} accounts asked for: raise AccountCount.");
    }

    public async Task InitializeAsync() => _server = await Servers[Interlocked.Increment(ref _fixtures) % ServerCount].Value;

    /// <summary>Others may be using the service.</summary>
    public Task DisposeAsync() => Task.CompletedTask;
}
