using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.Storage.Tables;

/// <summary>One account's Table service.</summary>
public sealed class TableServiceClient
{
    private readonly TablePipeline _pipeline;

    /// <summary>By connection string: account key or the emulator's short form.</summary>
    /// <exception cref="FormatException">It names no account, key or endpoint. The message holds no part of it.</exception>
    public TableServiceClient(string connectionString, TableClientOptions? options = null)
        : this(StorageConnectionString.Parse(connectionString), options)
    {
    }

    /// <summary>By endpoint and account key.</summary>
    public TableServiceClient(Uri endpoint, TableSharedKeyCredential credential, TableClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(credential);
        _pipeline = new TablePipeline(endpoint, new TableSharedKeyPolicy(credential, TimeProvider.System), options ?? new TableClientOptions());
        AccountName = credential.AccountName;
    }

    /// <summary>By endpoint and Entra identity. The endpoint must be https: a token is never sent in the clear.</summary>
    public TableServiceClient(Uri endpoint, TokenCredential credential, TableClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(credential);
        _pipeline = new TablePipeline(endpoint, new BearerTokenAuthenticationPolicy(credential, "https://storage.azure.com/.default"), options ?? new TableClientOptions());
        AccountName = endpoint.Host.Split('.')[0];
    }

    private TableServiceClient(StorageConnectionString parts, TableClientOptions? options)
        : this(parts.TableEndpoint, new TableSharedKeyCredential(parts.AccountName, parts.AccountKey), options)
    {
    }

    /// <summary>The account.</summary>
    public string AccountName { get; }

    /// <summary>The service's address.</summary>
    public Uri Uri => _pipeline.Endpoint;

    /// <summary>A table of this account, whether it exists or not. No call is made.</summary>
    public TableClient GetTableClient(string tableName)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(tableName);
        return new TableClient(_pipeline, AccountName, tableName);
    }
}
