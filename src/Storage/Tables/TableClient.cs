using System.Text.Json;
using Azure;
using Azure.Core;

namespace Baton.Storage.Tables;

/// <summary>How an update treats properties that it does not name.</summary>
public enum TableUpdateMode
{
    /// <summary>They stay.</summary>
    Merge = 0,

    /// <summary>They go.</summary>
    Replace = 1,
}

/// <summary>One table. Names and meaning are those of the official client; failures are <see cref="RequestFailedException"/> with a <see cref="TableErrorCode"/>.</summary>
public sealed class TableClient
{
    /// <summary>The most actions that the service takes in one transaction.</summary>
    public const int MaxTransactionActions = 100;

    private static readonly StatusCodeClassifier Ok = new([200]);
    private static readonly StatusCodeClassifier Created = new([201, 204]);
    private static readonly StatusCodeClassifier CreatedOrConflict = new([201, 204, 409]);
    private static readonly StatusCodeClassifier NoContent = new([204]);
    private static readonly StatusCodeClassifier NoContentOrMissing = new([204, 404]);
    private static readonly StatusCodeClassifier OkOrMissing = new([200, 404]);

    private readonly TablePipeline _pipeline;

    internal TableClient(TablePipeline pipeline, string accountName, string name)
    {
        _pipeline = pipeline;
        AccountName = accountName;
        Name = name;
    }

    /// <summary>The table's name.</summary>
    public string Name { get; }

    /// <summary>The account it is in.</summary>
    public string AccountName { get; }

    /// <summary>A filter, every value in it quoted as its type wants: <c>CreateQueryFilter($"RowKey ge {from}")</c>.</summary>
    public static string CreateQueryFilter(FormattableString filter)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return TableFilter.Create(filter);
    }

    /// <summary>Creates the table unless it is there. Creating twice, or two at once, is no error.</summary>
    public async Task<Response> CreateIfNotExistsAsync(CancellationToken cancellationToken = default)
    {
        using var message = _pipeline.Create(RequestMethod.Post, "Tables", CreatedOrConflict, repeatable: true, cancellationToken);
        message.Request.Headers.SetValue("Prefer", "return-no-content");
        TablePipeline.SetJson(message, JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>(StringComparer.Ordinal) { ["TableName"] = Name }));
        var response = await _pipeline.SendAsync(message, cancellationToken).ConfigureAwait(false);
        if (response.Status == 409)
        {
            var failure = new RequestFailedException(response, innerException: null, TableErrorParser.Instance);
            if (!string.Equals(failure.ErrorCode, TableErrorCode.TableAlreadyExists, StringComparison.Ordinal))
            {
                throw failure;
            }
        }

        return response;
    }

    /// <summary>Inserts. An entity that is there is an error (<see cref="TableErrorCode.EntityAlreadyExists"/>).</summary>
    public async Task<Response> AddEntityAsync(TableEntity entity, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entity);
        using var message = _pipeline.Create(RequestMethod.Post, Name, Created, repeatable: false, cancellationToken);
        message.Request.Headers.SetValue("Prefer", "return-no-content");
        TablePipeline.SetJson(message, EntityJson.Write(entity));
        return await _pipeline.SendAsync(message, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads one entity; a missing one is an error (<see cref="TableErrorCode.ResourceNotFound"/>).</summary>
    /// <param name="partitionKey">Its partition.</param>
    /// <param name="rowKey">Its row.</param>
    /// <param name="select">The properties wanted; all when null.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<Response<T>> GetEntityAsync<T>(string partitionKey, string rowKey, IEnumerable<string>? select = null, CancellationToken cancellationToken = default)
        where T : TableEntity, new()
    {
        using var message = CreateGet(partitionKey, rowKey, select, Ok, cancellationToken);
        return ReadEntity<T>(await _pipeline.SendAsync(message, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Reads one entity, or says that there is none. A missing table is an error all the same.</summary>
    public async Task<NullableResponse<T>> GetEntityIfExistsAsync<T>(string partitionKey, string rowKey, IEnumerable<string>? select = null, CancellationToken cancellationToken = default)
        where T : TableEntity, new()
    {
        using var message = CreateGet(partitionKey, rowKey, select, OkOrMissing, cancellationToken);
        var response = await _pipeline.SendAsync(message, cancellationToken).ConfigureAwait(false);
        if (response.Status == 200)
        {
            return ReadEntity<T>(response);
        }

        var failure = new RequestFailedException(response, innerException: null, TableErrorParser.Instance);
        return string.Equals(failure.ErrorCode, TableErrorCode.TableNotFound, StringComparison.Ordinal) ? throw failure : new NoValueResponse<T>(response);
    }

    /// <summary>Changes an entity that is there and has this ETag, else 412 (<see cref="TableErrorCode.UpdateConditionNotSatisfied"/>). The answer carries the new ETag.</summary>
    /// <param name="entity">The keys and the properties to set.</param>
    /// <param name="ifMatch">The version that must still be there; <see cref="ETag.All"/> for any.</param>
    /// <param name="mode">Whether other properties stay.</param>
    /// <param name="cancellationToken">Gives up; whether it was applied is then unknown.</param>
    public Task<Response> UpdateEntityAsync(TableEntity entity, ETag ifMatch, TableUpdateMode mode = TableUpdateMode.Merge, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entity);
        return ifMatch == default
            ? throw new ArgumentException("An update needs an ETag, or ETag.All for any version.", nameof(ifMatch))
            : WriteAsync(entity, ifMatch, mode, cancellationToken);
    }

    /// <summary>Inserts, or changes whatever is there.</summary>
    public Task<Response> UpsertEntityAsync(TableEntity entity, TableUpdateMode mode = TableUpdateMode.Merge, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entity);
        return WriteAsync(entity, null, mode, cancellationToken);
    }

    /// <summary>Deletes an entity that has this ETag (by default, any). One that is not there is no error: the answer's status is 404.</summary>
    public async Task<Response> DeleteEntityAsync(string partitionKey, string rowKey, ETag ifMatch = default, CancellationToken cancellationToken = default)
    {
        var any = ifMatch == default || ifMatch == ETag.All;
        using var message = _pipeline.Create(RequestMethod.Delete, TablePipeline.EntityPath(Name, partitionKey, rowKey), NoContentOrMissing, repeatable: any, cancellationToken);
        message.Request.Headers.SetValue("If-Match", any ? "*" : ifMatch.ToString());
        return await _pipeline.SendAsync(message, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Entities in the order of their keys, page by page.</summary>
    /// <param name="filter">An OData filter (<see cref="CreateQueryFilter"/>); all when null.</param>
    /// <param name="maxPerPage">At most 1000, the service's own bound. A page may hold fewer, even none.</param>
    /// <param name="select">The properties wanted; all when null.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public AsyncPageable<T> QueryAsync<T>(string? filter = null, int? maxPerPage = null, IEnumerable<string>? select = null, CancellationToken cancellationToken = default)
        where T : TableEntity, new() => new TableQuery<T>(_pipeline, Name, filter, maxPerPage, select, cancellationToken);

    /// <summary>Does up to 100 actions on one partition, all or none.</summary>
    /// <exception cref="TableTransactionFailedException">None was done; it says which action was refused, and why.</exception>
    public async Task<Response<IReadOnlyList<Response>>> SubmitTransactionAsync(IEnumerable<TableTransactionAction> transactionActions, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transactionActions);
        var actions = transactionActions.ToList();
        TransactionRequest.Check(actions);
        using var message = _pipeline.Create(RequestMethod.Post, "$batch", TransactionRequest.Accepted, repeatable: false, cancellationToken);
        TransactionRequest.SetBody(message, _pipeline, Name, actions);
        var response = await _pipeline.SendAsync(message, cancellationToken).ConfigureAwait(false);
        return Response.FromValue(TransactionResponse.Read(response, actions.Count), response);
    }

    private async Task<Response> WriteAsync(TableEntity entity, ETag? ifMatch, TableUpdateMode mode, CancellationToken cancellationToken)
    {
        // Unconditional writes end the same however often they are sent.
        var repeatable = ifMatch is null || ifMatch == ETag.All;
        var path = TablePipeline.EntityPath(Name, entity.PartitionKey, entity.RowKey);
        using var message = _pipeline.Create(mode == TableUpdateMode.Merge ? RequestMethod.Patch : RequestMethod.Put, path, NoContent, repeatable, cancellationToken);
        if (ifMatch is { } etag)
        {
            message.Request.Headers.SetValue("If-Match", etag.ToString());
        }

        TablePipeline.SetJson(message, EntityJson.Write(entity));
        return await _pipeline.SendAsync(message, cancellationToken).ConfigureAwait(false);
    }

    private HttpMessage CreateGet(string partitionKey, string rowKey, IEnumerable<string>? select, ResponseClassifier success, CancellationToken cancellationToken)
    {
        var message = _pipeline.Create(RequestMethod.Get, TablePipeline.EntityPath(Name, partitionKey, rowKey), success, repeatable: true, cancellationToken);
        if (select is not null)
        {
            message.Request.Uri.AppendQuery("$select", string.Join(',', select), escapeValue: true);
        }

        return message;
    }

    private static Response<T> ReadEntity<T>(Response response)
        where T : TableEntity, new()
    {
        using var document = JsonDocument.Parse(response.Content);
        return Response.FromValue(EntityJson.Read<T>(document.RootElement, response.Headers.ETag?.ToString()), response);
    }
}
