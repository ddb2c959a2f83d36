using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Azure;
using Azure.Core;

namespace Baton.Storage.Tables;

/// <summary>The answers inside the answer to a transaction.</summary>
internal static class TransactionResponse
{
    /// <summary>One answer for each action, in order.</summary>
    /// <exception cref="TableTransactionFailedException">One was refused, and so all were.</exception>
    public static IReadOnlyList<Response> Read(Response response, int actions)
    {
        var parts = Parts(response.Content.ToString()).ToList();
        if (parts.Find(part => part.Status >= 400) is { } refused)
        {
            throw new TableTransactionFailedException(refused, TableErrorParser.FailedIndex(refused));
        }

        return parts.Count == actions
            ? parts
            : throw new RequestFailedException(response.Status, $"The Table service answered {parts.Count} of {actions} actions: the transaction's end is unknown.");
    }

    private static IEnumerable<Part> Parts(string body)
    {
        // Every inner answer starts with a status line and ends at the next boundary.
        const string StatusLine = "HTTP/1.1 ";
        var at = body.IndexOf(StatusLine, StringComparison.Ordinal);
        while (at >= 0)
        {
            var end = body.IndexOf("\r\n--", at, StringComparison.Ordinal);
            end = end < 0 ? body.Length : end;
            yield return Parse(body[(at + StatusLine.Length)..end]);
            at = body.IndexOf(StatusLine, end, StringComparison.Ordinal);
        }
    }

    private static Part Parse(string text)
    {
        var split = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        var head = (split < 0 ? text : text[..split]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = head.Skip(1)
            .Select(line => line.Split(':', 2))
            .Where(pair => pair.Length == 2)
            .Select(pair => new HttpHeader(pair[0].Trim(), pair[1].Trim()))
            .ToList();
        var status = int.Parse(head[0].AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture);
        return new Part(status, head[0].Length > 4 ? head[0][4..] : string.Empty, headers, split < 0 ? string.Empty : text[(split + 4)..].Trim());
    }

    private sealed class Part(int status, string reason, List<HttpHeader> headers, string content) : Response
    {
        public override int Status => status;

        public override string ReasonPhrase => reason;

        public override bool IsError => status >= 400;

        public override Stream? ContentStream { get; set; } = new MemoryStream(Encoding.UTF8.GetBytes(content));

        public override string ClientRequestId { get; set; } = string.Empty;

        public override void Dispose() => ContentStream?.Dispose();

        protected override bool TryGetHeader(string name, [NotNullWhen(true)] out string? value)
        {
            var found = headers.Find(header => string.Equals(header.Name, name, StringComparison.OrdinalIgnoreCase));
            value = found.Value;
            return value is not null;
        }

        protected override bool TryGetHeaderValues(string name, [NotNullWhen(true)] out IEnumerable<string>? values)
        {
            values = TryGetHeader(name, out var value) ? [value] : null;
            return values is not null;
        }

        protected override bool ContainsHeader(string name) => TryGetHeader(name, out _);

        protected override IEnumerable<HttpHeader> EnumerateHeaders() => headers;
    }
}
