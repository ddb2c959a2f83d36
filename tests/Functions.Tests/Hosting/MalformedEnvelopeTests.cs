using System.Net;
using System.Text;

namespace Baton.Functions.Tests.Hosting;

public sealed class MalformedEnvelopeTests(SampleApp app) : IClassFixture<SampleApp>
{
    [Theory]
    [InlineData("Echo", "")]
    [InlineData("Echo", "null")]
    [InlineData("Echo", "[]")]
    [InlineData("Echo", "{")]
    [InlineData("Echo", "{}")]
    [InlineData("Echo", """{"Data":null}""")]
    [InlineData("Echo", """{"Data":{}}""")]
    [InlineData("Echo", """{"Data":{"request":"x"}}""")]
    [InlineData("Echo", """{"Data":{"request":{}}}""")]
    [InlineData("Echo", """{"Data":{"request":{"Method":"GET","Headers":[]}}}""")]
    [InlineData("Echo", """{"Data":{"request":{"Method":"GET","Url":"::","Query":"x"}}}""")]
    [InlineData("Echo", """{"Data":{"request":{"Method":"POST","Body":"\ud800"}}}""")]
    [InlineData("Echo", """{"Data":{"request":{"Method":"POST","Headers":{"Content-Type":["application/octet-stream"]},"Body":"*"}}}""")]
    [InlineData("OnOrder", """{"Data":{"message":"*"}}""")]
    [InlineData("OnOrder", """{"Data":{"message":{"a":1}}}""")]
    [InlineData("OnTick", """{"Data":{"tick":"\"x\""}}""")]
    [InlineData("OnTick", """{"Data":{"tick":"x"}}""")]
    [InlineData("OnTick", """{"Data":{"tick":null}}""")]
    [InlineData("Ordering", """{"Data":{"context":"\"*\""}}""")]
    [InlineData("Ordering", """{"Data":{"context":"\"aGVsbG8gd29ybGQ=\""}}""")]
    [InlineData("Ordering", """{"Data":{"context":"aGVsbG8="}}""")]
    [InlineData("Ordering", """{"Data":{"context":"3"}}""")]
    [InlineData("Stamp", """{"Data":{"order":"{"}}""")]
    [InlineData("Stamp", """{"Data":{"order":"\"{\""}}""")]
    [InlineData("Starts", """{"Data":{"request":{"Method":"POST"},"client":"{}"}}""")]
    [InlineData("Starts", """{"Data":{"request":{"Method":"POST"},"client":"{\"httpBaseUrl\":\"no address\"}"}}""")]
    [InlineData("Starts", """{"Data":{"request":{"Method":"POST"}}}""")]
    public async Task An_envelope_that_breaks_the_protocol_is_refused_with_a_reason(string function, string envelope)
    {
        using var content = new StringContent(envelope, Encoding.UTF8, "application/json");
        using var response = await app.Client.PostAsync(new Uri($"/{function}", UriKind.Relative), content);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("The invocation cannot be read", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metadata_is_not_trusted_nor_needed()
    {
        using var content = new StringContent("""{"Data":{"tick":{"IsPastDue":false}},"Metadata":"anything"}""", Encoding.UTF8, "application/json");
        using var response = await app.Client.PostAsync(new Uri("/OnTick", UriKind.Relative), content);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }
}
