using System.Text;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.Storage.Tables;

/// <summary>Builds and sends the requests of the Table service, through Azure.Core's pipeline.</summary>
internal sealed class TablePipeline
{
    private const string ApiVersion = "2020-12-06";
    private readonly HttpPipeline _pipeline;

    public TablePipeline(Uri endpoint, HttpPipelinePolicy authentication, TableClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        Endpoint = endpoint;
        options.RetryPolicy ??= new TableRetryPolicy(options.Retry.MaxRetries, DelayStrategy.CreateExponentialDelayStrategy(options.Retry.Delay, options.Retry.MaxDelay));
        _pipeline = HttpPipelineBuilder.Build(new HttpPipelineOptions(options)
        {
            PerRetryPolicies = { authentication },
            RequestFailedDetailsParser = TableErrorParser.Instance,
        });
    }

    public Uri Endpoint { get; }

    /// <summary>A request for <paramref name="path"/>, already escaped, below the account's endpoint.</summary>
    public HttpMessage Create(RequestMethod method, string path, ResponseClassifier success, bool repeatable, CancellationToken cancellationToken)
    {
        var message = _pipeline.CreateMessage(new RequestContext { CancellationToken = cancellationToken }, success);
        message.Request.Method = method;
        message.Request.Uri.Reset(Address(path));
        message.Request.Headers.SetValue("x-ms-version", ApiVersion);
        message.Request.Headers.SetValue("DataServiceVersion", "3.0");
        message.Request.Headers.SetValue("Accept", "application/json;odata=minimalmetadata");
        if (repeatable)
        {
            TableRetryPolicy.MarkRepeatable(message);
        }

        return message;
    }

    /// <summary>The full address of <paramref name="path"/>.</summary>
    public Uri Address(string path) => new($"{Endpoint.AbsoluteUri.TrimEnd('/')}/{path}");

    /// <summary>Sends and answers the response, or throws what the service said.</summary>
    /// <exception cref="RequestFailedException">The answer is an error; the code is the service's. Neither key nor token is in its text.</exception>
    public async Task<Response> SendAsync(HttpMessage message, CancellationToken cancellationToken)
    {
        await _pipeline.SendAsync(message, cancellationToken).ConfigureAwait(false);
        return message.Response.IsError
            ? throw new RequestFailedException(message.Response, innerException: null, TableErrorParser.Instance)
            : message.Response;
    }

    /// <summary>The body of a request.</summary>
    public static void SetJson(HttpMessage message, byte[] body)
    {
        message.Request.Headers.SetValue("Content-Type", "application/json");
        message.Request.Content = RequestContent.Create(body);
    }

    /// <summary>The path of an entity: keys quoted for OData, then escaped for a URL, so that no key can end the quoting or the path.</summary>
    public static string EntityPath(string table, string partitionKey, string rowKey)
    {
        ArgumentNullException.ThrowIfNull(partitionKey);
        ArgumentNullException.ThrowIfNull(rowKey);
        return new StringBuilder(table)
            .Append("(PartitionKey='").Append(Uri.EscapeDataString(TableFilter.Quoted(partitionKey)))
            .Append("',RowKey='").Append(Uri.EscapeDataString(TableFilter.Quoted(rowKey))).Append("')")
            .ToString();
    }
}
