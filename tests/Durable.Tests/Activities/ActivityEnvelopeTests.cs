using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Durable.Tests.Activities;

public sealed class ActivityEnvelopeTests
{
    [Theory]
    [InlineData(null, """{"ok":null}""")]
    [InlineData(5, """{"ok":5}""")]
    [InlineData(true, """{"ok":true}""")]
    [InlineData("Tokyo", """{"ok":"Tokyo"}""")]
    [InlineData("test", """{"ok":"test"}""")]
    [InlineData("2026-01-02", """{"ok":"2026-01-02"}""")]
    [InlineData("2026-01-02T03:04:05.6780000Z", """{"okText":"\"2026-01-02T03:04:05.6780000Z\""}""")]
    [InlineData("/Date(1)/", """{"okText":"\"/Date(1)/\""}""")]
    [InlineData(0.5, """{"okText":"0.5"}""")]
    public void A_value_travels_as_it_is_unless_the_host_would_rewrite_it(object? value, string envelope)
        => Assert.Equal(envelope, ActivityEnvelope.Ok(value).GetRawText());

    [Fact]
    public void A_date_anywhere_inside_sends_the_whole_value_as_text()
    {
        var value = new { A = new object[] { 1, new { Key = "2026-01-02T03:04:05+02:00" } } };
        Assert.Equal("""{"a":[1,{"key":"2026-01-02T03:04:05+02:00"}]}""", ActivityEnvelope.Ok(value).GetProperty("okText").GetString());
    }

    [Theory]
    [InlineData("2026-01-02T03:04:05.6780000Z")]
    [InlineData("plain")]
    [InlineData("")]
    public void What_went_in_comes_out(string text) => Assert.Equal(text, ActivityEnvelope.Unwrap<string>("Work", 0, ActivityEnvelope.Ok(text).GetRawText()));

    [Fact]
    public void Null_comes_out_as_the_types_default()
    {
        Assert.Null(ActivityEnvelope.Unwrap<string>("Work", 0, """{"ok":null}"""));
        Assert.Null(ActivityEnvelope.Unwrap<object?>("Work", 0, """{"ok":null}"""));
    }

    [Fact]
    public void A_failure_keeps_type_message_stack_cause_code_and_whether_a_retry_can_mend_it()
    {
        ApiException thrown = Assert.Throws<ApiException>(void () => throw new ApiException(ApiErrorCode.InvalidArgument, "bad name"));
        JsonElement envelope = ActivityEnvelope.Failed(new InvalidOperationException("outer", thrown));
        TaskFailedException failed = Assert.Throws<TaskFailedException>(() => ActivityEnvelope.Unwrap<int>("Work", 3, envelope.GetRawText()));
        TaskFailureDetails cause = failed.FailureDetails.InnerFailure!;
        Assert.Equal(("Work", 3, "outer"), (failed.TaskName, failed.TaskId, failed.FailureDetails.ErrorMessage));
        Assert.Equal((typeof(ApiException).FullName, "bad name", ApiErrorCode.InvalidArgument, true), (cause.ErrorType, cause.ErrorMessage, cause.ApiCode, cause.IsNonRetriable));
        Assert.Contains(nameof(ActivityEnvelopeTests), cause.StackTrace, StringComparison.Ordinal);
        Assert.Equal(new ApiError(ApiErrorCode.InvalidArgument, "bad name"), failed.FailureDetails.ToApiError());
    }
}
