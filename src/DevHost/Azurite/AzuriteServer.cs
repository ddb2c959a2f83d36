using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using Baton.DevHost.Processes;

namespace Baton.DevHost.Azurite;

/// <summary>An account of the local storage service.</summary>
/// <param name="Name">3 to 24 small letters and digits.</param>
/// <param name="Key">Base64.</param>
public sealed record AzuriteAccount(string Name, string Key)
{
    /// <summary>An account with a random key.</summary>
    public static AzuriteAccount Create(string name) => new(name, Convert.ToBase64String(RandomNumberGenerator.GetBytes(64)));
}

/// <summary>How to start the local storage service.</summary>
public sealed record AzuriteOptions
{
    /// <summary>The accounts it has.</summary>
    public required IReadOnlyList<AzuriteAccount> Accounts { get; init; }

    /// <summary>Where it keeps its data; null keeps everything in memory.</summary>
    public string? DataFolder { get; init; }

    /// <summary>How long it may take to start.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(60);
}

/// <summary>Azurite as a child process, on ports that the system picks.</summary>
public sealed class AzuriteServer : IAsyncDisposable
{
    private const string ReadyMark = "is successfully listening at ";
    private static readonly string[] Services = ["Blob", "Queue", "Table"];

    private readonly ChildProcess _process;
    private readonly Dictionary<string, AzuriteAccount> _accounts;
    private readonly IReadOnlyList<Uri> _endpoints;

    private AzuriteServer(ChildProcess process, IReadOnlyList<AzuriteAccount> accounts, IReadOnlyList<Uri> endpoints)
    {
        _process = process;
        _accounts = accounts.ToDictionary(a => a.Name, StringComparer.Ordinal);
        _endpoints = endpoints;
    }

    /// <summary>The process, for whoever wants to watch or kill it.</summary>
    public ChildProcess Process => _process;

    /// <summary>Starts Azurite and waits until its three services listen.</summary>
    public static async Task<AzuriteServer> StartAsync(AzuriteOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var process = ChildProcess.Start(new ChildProcessStart(
            "azurite",
            "node",
            Arguments(options),
            Environment: new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["AZURITE_ACCOUNTS"] = string.Join(';', options.Accounts.Select(a => $"{a.Name}:{a.Key}")),
            }));
        try
        {
            var endpoints = new List<Uri>();
            foreach (var service in Services)
            {
                var line = await process.WaitForLineAsync(l => l.Contains($"Azurite {service} service {ReadyMark}", StringComparison.Ordinal), options.StartTimeout, cancellationToken);
                endpoints.Add(new Uri(line[(line.IndexOf(ReadyMark, StringComparison.Ordinal) + ReadyMark.Length)..].Trim()));
            }

            return new AzuriteServer(process, options.Accounts, endpoints);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>The connection string of an account. It holds the account's key.</summary>
    public string ConnectionString(string account)
    {
        var found = _accounts[account];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"DefaultEndpointsProtocol=http;AccountName={found.Name};AccountKey={found.Key};BlobEndpoint={_endpoints[0]}{found.Name};QueueEndpoint={_endpoints[1]}{found.Name};TableEndpoint={_endpoints[2]}{found.Name};");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private static List<string> Arguments(AzuriteOptions options)
    {
        List<string> arguments =
        [
            Path.Combine(Folder(), "azurite-launcher.cjs"),
            "--blobPort", "0", "--queuePort", "0", "--tablePort", "0",
            "--silent", "--disableTelemetry", "--skipApiVersionCheck",
        ];
        if (options.DataFolder is null)
        {
            arguments.Add("--inMemoryPersistence");
        }
        else
        {
            arguments.AddRange(["--location", Directory.CreateDirectory(options.DataFolder).FullName]);
        }

        return arguments;
    }

    // The build restores the pinned npm packages there and tells this assembly where.
    private static string Folder() =>
        typeof(AzuriteServer).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "AzuriteFolder").Value!;
}
