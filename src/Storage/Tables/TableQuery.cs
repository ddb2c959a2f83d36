using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Azure;
using Azure.Core;

namespace Baton.Storage.Tables;

/// <summary>A query over a table, page by page, each page from the continuation of the one before.</summary>
internal sealed class TableQuery<T>(TablePipeline pipeline, string table, string? filter, int? maxPerPage, IEnumerable<string>? select, CancellationToken cancellationToken)
    : AsyncPageable<T>(cancellationToken)
    where T : TableEntity, new()
{
    private static readonly StatusCodeClassifier Ok = new([200]);
    private readonly string? _select = select is null ? null : string.Join(',', select);

    public override async IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, CancellationToken);
        await foreach (var page in PagesAsync(null, null, linked.Token).ConfigureAwait(false))
        {
            foreach (var entity in page.Values)
            {
                yield return entity;
            }
        }
    }

    public override IAsyncEnumerable<Page<T>> AsPages(string? continuationToken = null, int? pageSizeHint = null) =>
        PagesAsync(continuationToken, pageSizeHint, CancellationToken);

    private async IAsyncEnumerable<Page<T>> PagesAsync(string? continuationToken, int? pageSizeHint, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var next = continuationToken;
        do
        {
            var page = await PageAsync(next, pageSizeHint ?? maxPerPage, cancellation).ConfigureAwait(false);
            yield return page;
            next = page.ContinuationToken;
        }
        while (next is not null);
    }

    private async Task<Page<T>> PageAsync(string? continuation, int? top, CancellationToken cancellation)
    {
        using var message = pipeline.Create(RequestMethod.Get, $"{table}()", Ok, repeatable: true, cancellation);
        var uri = message.Request.Uri;
        Append(uri, "$filter", filter);
        Append(uri, "$select", _select);
        Append(uri, "$top", top?.ToString(CultureInfo.InvariantCulture));
        if (continuation is not null)
        {
            // Both parts come escaped by the service itself, in base64 or in text; what it gave goes back as one value each.
            var parts = continuation.Split(' ', 2);
            Append(uri, "NextPartitionKey", parts[0]);
            Append(uri, "NextRowKey", parts.Length > 1 ? parts[1] : null);
        }

        var response = await pipeline.SendAsync(message, cancellation).ConfigureAwait(false);
        using var document = JsonDocument.Parse(response.Content);
        var values = document.RootElement.GetProperty("value").EnumerateArray().Select(element => EntityJson.Read<T>(element)).ToList();
        return Page<T>.FromValues(values, Continuation(response), response);
    }

    private static string? Continuation(Response response)
    {
        if (!response.Headers.TryGetValue("x-ms-continuation-NextPartitionKey", out var partition) || string.IsNullOrEmpty(partition))
        {
            return null;
        }

        // The row part is missing when the next page starts at a partition.
        return response.Headers.TryGetValue("x-ms-continuation-NextRowKey", out var row) && !string.IsNullOrEmpty(row) ? $"{partition} {row}" : partition;
    }

    private static void Append(RequestUriBuilder uri, string name, string? value)
    {
        if (value is not null)
        {
            uri.AppendQuery(name, value, escapeValue: true);
        }
    }
}
