using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>One cluster of real processes, with a storage of its own, for all tests of a class: started before them, killed and deleted after them.</summary>
/// <param name="name">Names its folder.</param>
public abstract class OneCluster(string name) : IAsyncLifetime
{
    /// <summary>How long anything may take that is waited for: machines have been seen to stand still for minutes.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private LocalMachine? _machine;
    private LocalCluster? _cluster;

    public LocalCluster Cluster => _cluster ?? throw new InvalidOperationException("The fixture has not started.");

    /// <summary>Where its data and its logs are.</summary>
    protected string Folder { get; } = Directory.CreateTempSubdirectory($"baton-{name}-").FullName;

    public virtual async Task InitializeAsync()
    {
        _machine = await LocalMachine.StartAsync(Folder, ["a"], keepData: false, CancellationToken.None);
        _cluster = await _machine.StartClusterAsync("a", Options, CancellationToken.None);
    }

    public virtual async Task DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.KillEverythingAsync();
        }

        if (_machine is not null)
        {
            await _machine.DisposeAsync();
        }

        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>What the cluster is, on top of what a cluster is by default.</summary>
    protected abstract LocalClusterOptions Options(LocalClusterOptions options);

    protected static IReadOnlyDictionary<string, string> Settings(params (string Name, string Value)[] settings) => settings.ToDictionary(s => s.Name, s => s.Value, StringComparer.Ordinal);
}
