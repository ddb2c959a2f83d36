using System.Net;
using System.Security.Cryptography;
using System.Text;
using Azure;
using Baton.Storage.Tables;

namespace Baton.Storage.Tests.Tables;

/// <summary>What goes over the wire, and what is sent again.</summary>
public sealed class TablePipelineTests : IDisposable
{
    private const string Token = "token-that-must-stay-secret";
    private static readonly string Key = Convert.ToBase64String("key that must stay secret"u8);
    private readonly ScriptedService _service = new();

    [Fact]
    public async Task An_entra_identity_sends_a_bearer_token_of_the_storage_scope()
    {
        var token = new FixedToken(Token);
        var table = new TableServiceClient(new Uri("https://acct.table.core.windows.net"), token, _service.Options).GetTableClient("t");

        await table.UpsertEntityAsync(new TableEntity("p", "r"));
        await table.DeleteEntityAsync("p", "r");

        Assert.Equal("acct", table.AccountName);
        Assert.All(_service.Requests, r => Assert.Equal($"Bearer {Token}", r.Headers["Authorization"]));
        Assert.Equal("https://storage.azure.com/.default", Assert.Single(token.Scopes));
        Assert.Equal("https://acct.table.core.windows.net/t(PartitionKey='p',RowKey='r')", _service.Requests[0].Uri.AbsoluteUri);
        Assert.All(_service.Requests, r => Assert.Equal("2020-12-06", r.Headers["x-ms-version"]));
    }

    [Fact]
    public async Task A_token_is_never_sent_in_the_clear()
    {
        var table = new TableServiceClient(new Uri("http://acct.table.core.windows.net"), new FixedToken(Token), _service.Options).GetTableClient("t");

        await Assert.ThrowsAsync<InvalidOperationException>(() => table.UpsertEntityAsync(new TableEntity("p", "r")));

        Assert.Empty(_service.Requests);
    }

    [Theory]
    [InlineData("https://acct.table.core.windows.net/", "/acct/t(PartitionKey='p',RowKey='it%27%27s')")]
    [InlineData("http://127.0.0.1:9/acct", "/acct/acct/t(PartitionKey='p',RowKey='it%27%27s')")]
    public async Task A_shared_key_signs_date_and_resource(string endpoint, string resource)
    {
        await Keyed(endpoint).DeleteEntityAsync("p", "it's");

        var (_, _, headers) = Assert.Single(_service.Requests);
        var signed = HMACSHA256.HashData(Convert.FromBase64String(Key), Encoding.UTF8.GetBytes($"{headers["x-ms-date"]}\n{resource}"));
        Assert.Equal($"SharedKeyLite acct:{Convert.ToBase64String(signed)}", headers["Authorization"]);
    }

    [Theory]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    [InlineData(HttpStatusCode.TooManyRequests)]
    public async Task What_the_service_did_not_take_is_sent_again_whatever_it_is(HttpStatusCode status)
    {
        var table = Keyed();
        _service.Answer(status, code: "ServerBusy").Answer(HttpStatusCode.NoContent);
        await table.AddEntityAsync(new TableEntity("p", "r"));
        _service.Answer(status, code: "ServerBusy").Answer(HttpStatusCode.NoContent);
        await table.UpdateEntityAsync(new TableEntity("p", "r"), new ETag("W/\"1\""));

        Assert.Equal(4, _service.Requests.Count);
    }

    [Fact]
    public async Task A_write_that_may_have_been_applied_is_not_sent_again_unless_twice_is_the_same_as_once()
    {
        var table = Keyed();
        var once = new List<Func<Task>>
        {
            () => table.AddEntityAsync(new TableEntity("p", "r")),
            () => table.UpdateEntityAsync(new TableEntity("p", "r"), new ETag("W/\"1\"")),
            () => table.DeleteEntityAsync("p", "r", new ETag("W/\"1\"")),
            () => table.SubmitTransactionAsync([new(TableTransactionActionType.Add, new TableEntity("p", "r"))]),
        };
        var often = new List<Func<Task>>
        {
            () => table.UpsertEntityAsync(new TableEntity("p", "r")),
            () => table.UpdateEntityAsync(new TableEntity("p", "r"), ETag.All),
            () => table.DeleteEntityAsync("p", "r"),
            () => table.CreateIfNotExistsAsync(),
        };

        foreach (var call in once)
        {
            _service.Requests.Clear();
            _service.Answer(HttpStatusCode.InternalServerError, code: "OperationTimedOut");
            Assert.Equal(500, (await Assert.ThrowsAsync<RequestFailedException>(call)).Status);
            _service.Fail(HttpRequestError.ResponseEnded);
            Assert.Equal(0, (await Assert.ThrowsAsync<RequestFailedException>(call)).Status);
            Assert.Equal(2, _service.Requests.Count);
        }

        foreach (var call in often)
        {
            _service.Requests.Clear();
            _service.Answer(HttpStatusCode.InternalServerError).Fail(HttpRequestError.ResponseEnded).Answer(HttpStatusCode.NoContent);
            await call();
            Assert.Equal(3, _service.Requests.Count);
        }
    }

    [Fact]
    public async Task A_call_that_never_left_is_sent_again()
    {
        _service.Fail(HttpRequestError.ConnectionError).Fail(HttpRequestError.NameResolutionError).FailBare().Answer(HttpStatusCode.NoContent);

        await Keyed().AddEntityAsync(new TableEntity("p", "r"));

        Assert.Equal(4, _service.Requests.Count);
    }

    [Fact]
    public async Task Retries_end()
    {
        for (var i = 0; i < 20; i++)
        {
            _service.Answer(HttpStatusCode.ServiceUnavailable, code: "ServerBusy");
        }

        var failure = await Assert.ThrowsAsync<RequestFailedException>(() => Keyed().GetEntityAsync<TableEntity>("p", "r"));

        Assert.Equal((503, "ServerBusy"), (failure.Status, failure.ErrorCode));
        Assert.Equal(5, _service.Requests.Count);
    }

    [Fact]
    public async Task No_failure_shows_a_key_or_a_token()
    {
        var byKey = Keyed();
        var byToken = new TableServiceClient(new Uri("https://acct.table.core.windows.net"), new FixedToken(Token), _service.Options).GetTableClient("t");
        var failures = new List<Exception>();
        foreach (var table in new[] { byKey, byToken })
        {
            _service.Answer(HttpStatusCode.Forbidden, code: "AuthenticationFailed");
            failures.Add(await Assert.ThrowsAsync<RequestFailedException>(() => table.AddEntityAsync(new TableEntity("p", "r"))));
            _service.Fail(HttpRequestError.ResponseEnded);
            failures.Add(await Assert.ThrowsAsync<RequestFailedException>(() => table.AddEntityAsync(new TableEntity("p", "r"))));
        }

        Assert.All(failures, f => Assert.DoesNotContain("secret", f.ToString(), StringComparison.Ordinal));
        Assert.All(failures, f => Assert.DoesNotContain(Key, f.ToString(), StringComparison.Ordinal));
        Assert.All(_service.Requests, r => Assert.DoesNotContain(r.Headers["Authorization"], string.Concat(failures), StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_answer_that_is_no_json_is_still_an_error_with_its_status()
    {
        _service.Answer(HttpStatusCode.BadGateway, "<html>proxy</html>").Answer(HttpStatusCode.Forbidden, "<html>proxy</html>");

        var failure = await Assert.ThrowsAsync<RequestFailedException>(() => Keyed().GetEntityAsync<TableEntity>("p", "r"));

        Assert.Equal((403, null), (failure.Status, failure.ErrorCode));
    }

    [Fact]
    public async Task A_table_that_is_being_deleted_is_no_existing_table()
    {
        _service.Answer(HttpStatusCode.Conflict, code: TableErrorCode.TableBeingDeleted);

        var failure = await Assert.ThrowsAsync<RequestFailedException>(() => Keyed().CreateIfNotExistsAsync());

        Assert.Equal(TableErrorCode.TableBeingDeleted, failure.ErrorCode);
    }

    [Fact]
    public async Task A_continuation_without_a_row_goes_on_at_its_partition_and_empty_pages_are_passed()
    {
        var table = Keyed();
        _service.Page("1!4!YQ--", null, "").Page("1!4!Yg--", "1!4!YyA-", """{"PartitionKey":"a","RowKey":"1"}""").Page(null, null, """{"PartitionKey":"b","RowKey":"2"}""");
        var rows = new List<string>();
        await foreach (var row in table.QueryAsync<TableEntity>("x eq 1"))
        {
            rows.Add(row.RowKey);
        }

        Assert.Equal("12", string.Concat(rows));
        Assert.DoesNotContain("NextRowKey", _service.Requests[1].Uri.Query, StringComparison.Ordinal);
        Assert.Equal("?$filter=x%20eq%201&NextPartitionKey=1%214%21Yg--&NextRowKey=1%214%21YyA-", _service.Requests[2].Uri.Query);
    }

    public void Dispose() => _service.Dispose();

    private TableClient Keyed(string endpoint = "https://acct.table.core.windows.net") =>
        new TableServiceClient(new Uri(endpoint), new TableSharedKeyCredential("acct", Key), _service.Options).GetTableClient("t");
}
