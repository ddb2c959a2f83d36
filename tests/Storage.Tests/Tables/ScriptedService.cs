using System.Net;
using System.Net.Sockets;
using System.Text;
using Azure.Core;
using Baton.Storage.Tables;

namespace Baton.Storage.Tests.Tables;

/// <summary>A table service that answers by script and keeps what it was sent. Below it the whole client is real.</summary>
public sealed class ScriptedService : HttpMessageHandler
{
    private const string Error = """{"odata.error":{"code":"CODE","message":{"lang":"en-US","value":"As scripted."}}}""";
    private readonly Queue<Func<HttpResponseMessage>> _answers = new();

    public IList<(string Method, Uri Uri, IReadOnlyDictionary<string, string> Headers)> Requests { get; } = [];

    public TableClientOptions Options => new()
    {
        Transport = BatonStorage.Over(this),
        Retry = { Delay = TimeSpan.FromMilliseconds(1), MaxDelay = TimeSpan.FromMilliseconds(2) },
    };

    public ScriptedService Answer(HttpStatusCode status, string body = "", string? code = null)
    {
        _answers.Enqueue(() => new HttpResponseMessage(status)
        {
            Content = new StringContent(code is null ? body : Error.Replace("CODE", code, StringComparison.Ordinal), Encoding.UTF8, "application/json"),
        });
        return this;
    }

    /// <summary>A page of a query with its continuation.</summary>
    public ScriptedService Page(string? nextPartition, string? nextRow, string entities)
    {
        _answers.Enqueue(() =>
        {
            var answer = new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent($$"""{"value":[{{entities}}]}""", Encoding.UTF8, "application/json") };
            if (nextPartition is not null)
            {
                answer.Headers.Add("x-ms-continuation-NextPartitionKey", nextPartition);
            }

            if (nextRow is not null)
            {
                answer.Headers.Add("x-ms-continuation-NextRowKey", nextRow);
            }

            return answer;
        });
        return this;
    }

    public ScriptedService Fail(HttpRequestError error)
    {
        _answers.Enqueue(() => throw new HttpRequestException(error, "The connection failed, as scripted."));
        return this;
    }

    /// <summary>As the runtime does where the peer dies in the moment in which the connection is made.</summary>
    public ScriptedService FailBare()
    {
        _answers.Enqueue(() => throw new SocketException((int)SocketError.NotConnected));
        return this;
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Requests.Add((request.Method.Method, request.RequestUri!, request.Headers.ToDictionary(h => h.Key, h => string.Join(',', h.Value), StringComparer.OrdinalIgnoreCase)));
        return Task.FromResult(_answers.Count > 0 ? _answers.Dequeue()() : new HttpResponseMessage(HttpStatusCode.NoContent));
    }
}

/// <summary>Gives out one token and keeps what it was asked for.</summary>
public sealed class FixedToken(string token) : TokenCredential
{
    public IList<string> Scopes { get; } = [];

    public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken)
    {
        foreach (var scope in requestContext.Scopes)
        {
            Scopes.Add(scope);
        }

        return new AccessToken(token, DateTimeOffset.UtcNow.AddHours(1));
    }

    public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) => ValueTask.FromResult(GetToken(requestContext, cancellationToken));
}
