using System.Text;
using Baton.Core.Api;
using Baton.Node.Answers;

namespace Baton.Node.Tests.Answers;

public sealed class JsonBodyTests
{
    [Theory]
    [InlineData("""{"messages":[""")]
    [InlineData("""{"clusterId":"a","channel":"c","records":[""")]
    public void A_body_of_very_many_small_objects_is_refused_before_they_are_made(string start)
    {
        var body = Encoding.UTF8.GetBytes(start + string.Join(',', Enumerable.Repeat("{}", 2_000_000)) + "]}");
        var before = GC.GetAllocatedBytesForCurrentThread();
        var refused = start.Contains("records", StringComparison.Ordinal)
            ? Assert.Throws<ApiException>(() => JsonBody.Parse<ReplicateRequest>(body))
            : Assert.Throws<ApiException>(() => JsonBody.Parse<AppendRequest>(body));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1024 * 1024);
        Assert.Equal(ApiErrorCode.InvalidArgument, refused.Error.Code);
        Assert.Contains($"{RequestLimits.Objects} JSON objects", refused.Error.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Braces_inside_a_text_are_no_objects()
    {
        var key = new string('{', RequestLimits.Objects + 1);
        var body = Encoding.UTF8.GetBytes($$"""{"messages":[{"payload":"YQ==","key":"{{key}}"}]}""");
        Assert.Equal(key, JsonBody.Parse<AppendRequest>(body).Messages[0].Key);
    }
}
