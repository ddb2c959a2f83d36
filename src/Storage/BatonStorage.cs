using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.Storage.Blobs;
using Baton.Storage.Tables;

namespace Baton.Storage;

/// <summary>A cluster's storage account.</summary>
public sealed class BatonStorage
{
    private const int MostConnections = 10_000;

    private BatonStorage(TableServiceClient tables, TableServiceClient singleAttemptTables, BlobServiceClient blobs, BlobServiceClient singleAttemptBlobs)
    {
        Tables = tables;
        SingleAttemptTables = singleAttemptTables;
        Blobs = blobs;
        SingleAttemptBlobs = singleAttemptBlobs;
    }

    /// <summary>Its tables.</summary>
    public TableServiceClient Tables { get; }

    /// <summary>
    /// Its tables, every call sent once and given up after <see cref="SingleAttemptTimeout"/>: for a caller that goes on as soon as the service is back, and would sleep through that in a
    /// client's own pause between attempts, and for one that must know of every attempt whether it may have been carried out.
    /// </summary>
    public TableServiceClient SingleAttemptTables { get; }

    /// <summary>How long a call of <see cref="SingleAttemptTables"/> may take.</summary>
    public static TimeSpan SingleAttemptTimeout { get; } = TimeSpan.FromSeconds(2);

    /// <summary>Its blobs; failed calls are tried again a few times.</summary>
    public BlobServiceClient Blobs { get; }

    /// <summary>Its blobs, every call sent once: repeating an append blindly could write it twice, so the log decides for itself.</summary>
    internal BlobServiceClient SingleAttemptBlobs { get; }

    /// <summary>Opens the account that <paramref name="options"/> names. No call is made.</summary>
    /// <param name="options">Which account.</param>
    /// <param name="configureTables">Changes the table clients' options, for tests.</param>
    /// <param name="configureBlobs">Changes the blob client's options, for tests.</param>
    /// <exception cref="InvalidOperationException">A setting is missing or wrong; the message names it and holds no secret.</exception>
    public static BatonStorage Open(StorageOptions options, Action<TableClientOptions>? configureTables = null, Action<BlobClientOptions>? configureBlobs = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var transport = Transport(options.MaxConnections);
        var tables = new TableClientOptions { Transport = transport };
        var singleAttemptTables = new TableClientOptions { Transport = transport };
        singleAttemptTables.Retry.MaxRetries = 0;
        singleAttemptTables.Retry.NetworkTimeout = SingleAttemptTimeout;
        var blobs = BlobOptions(maxRetries: 4, transport);
        var singleAttempt = BlobOptions(maxRetries: 0, transport);
        configureTables?.Invoke(tables);
        configureTables?.Invoke(singleAttemptTables);
        configureBlobs?.Invoke(blobs);
        configureBlobs?.Invoke(singleAttempt);
        if (!string.IsNullOrWhiteSpace(options.ConnectionString))
        {
            return WithKey(options, tables, singleAttemptTables, blobs, singleAttempt);
        }

        var blobUri = Endpoint(options.BlobServiceUri, nameof(StorageOptions.BlobServiceUri), "blob");
        var tableUri = Endpoint(options.TableServiceUri, nameof(StorageOptions.TableServiceUri), "table");
        TokenCredential credential = string.IsNullOrWhiteSpace(options.ClientId)
            ? new DefaultAzureCredential()
            : new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedClientId(options.ClientId));
        return new BatonStorage(
            new TableServiceClient(tableUri, credential, tables),
            new TableServiceClient(tableUri, credential, singleAttemptTables),
            new BlobServiceClient(blobUri, credential, blobs),
            new BlobServiceClient(blobUri, credential, singleAttempt));
    }

    private static BatonStorage WithKey(StorageOptions options, TableClientOptions tables, TableClientOptions singleAttemptTables, BlobClientOptions blobs, BlobClientOptions singleAttempt)
    {
        if (options.BlobServiceUri is not null || options.TableServiceUri is not null)
        {
            throw new InvalidOperationException("Setting 'Storage:ConnectionString' and 'Storage:BlobServiceUri'/'Storage:TableServiceUri' exclude each other: keep one way.");
        }

        try
        {
            return new BatonStorage(
                new TableServiceClient(options.ConnectionString!, tables),
                new TableServiceClient(options.ConnectionString!, singleAttemptTables),
                new BlobServiceClient(options.ConnectionString, blobs),
                new BlobServiceClient(options.ConnectionString, singleAttempt));
        }
        catch (Exception failure) when (failure is FormatException or ArgumentException)
        {
            // Both parsers name the part that is wrong and quote nothing of the text.
            throw new InvalidOperationException($"Setting 'Storage:ConnectionString' cannot be used: {failure.Message}", failure);
        }
    }

    private static Uri Endpoint(Uri? given, string name, string service)
    {
        if (given is null)
        {
            throw new InvalidOperationException(
                $"Setting 'Storage:{name}' is missing: set 'Storage:ConnectionString', or both endpoints (https://<account>.{service}.core.windows.net).");
        }

        return given is { IsAbsoluteUri: true, Scheme: "https" }
            ? given
            : throw new InvalidOperationException($"Setting 'Storage:{name}' is '{given}': an identity needs an absolute https address.");
    }

    // One for everything: each client's own would multiply the bound.
    private static HttpClientTransport Transport(int maxConnections)
    {
        if (maxConnections is < 1 or > MostConnections)
        {
            throw new InvalidOperationException($"Setting 'Storage:{nameof(StorageOptions.MaxConnections)}' is {maxConnections}; it must be 1 to {MostConnections}.");
        }

        return Over(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            MaxConnectionsPerServer = maxConnections,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),

            // An account that moves to another address is followed.
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectTimeout = TimeSpan.FromSeconds(5),
        });
    }

    /// <summary>The transport of every client. The pipeline bounds each call itself.</summary>
    internal static HttpClientTransport Over(HttpMessageHandler connections) => new(new HttpClient(new ConnectFaults(connections)) { Timeout = Timeout.InfiniteTimeSpan });

    private static BlobClientOptions BlobOptions(int maxRetries, HttpPipelineTransport transport)
    {
        var options = new BlobClientOptions { Transport = transport };
        options.Retry.MaxRetries = maxRetries;
        options.Retry.Mode = RetryMode.Exponential;
        options.Retry.Delay = TimeSpan.FromMilliseconds(50);
        options.Retry.MaxDelay = TimeSpan.FromSeconds(2);
        options.Retry.NetworkTimeout = TimeSpan.FromSeconds(10);
        return options;
    }
}
