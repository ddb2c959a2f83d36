using Baton.Core.Api;

namespace Baton.Durable.Tests.Failures;

public sealed class TaskFailureDetailsTests
{
    [Fact]
    public void A_failure_is_caused_by_its_type_and_the_types_above_it()
    {
        TaskFailureDetails missing = TaskFailureDetails.FromException(new FileNotFoundException("gone"));
        Assert.True(missing.IsCausedBy<FileNotFoundException>());
        Assert.True(missing.IsCausedBy<IOException>());
        Assert.True(missing.IsCausedBy<Exception>());
        Assert.True(missing.IsCausedBy<SystemException>());
        Assert.False(missing.IsCausedBy<DirectoryNotFoundException>());
        Assert.True(TaskFailureDetails.FromException(new OwnException()).IsCausedBy<InvalidOperationException>());
        Assert.True(TaskFailureDetails.FromException(new ApiException(ApiErrorCode.Conflict, "x")).IsCausedBy<Exception>());
    }

    [Fact]
    public void The_causes_of_a_failure_are_left_aside()
        => Assert.False(TaskFailureDetails.FromException(new InvalidOperationException("outer", new IOException("inner"))).IsCausedBy<IOException>());

    [Theory]
    [InlineData("Elsewhere.UnknownException")]
    [InlineData("System.IO.IOException, System.Private.CoreLib")]
    [InlineData("System.String")]
    [InlineData("")]
    public void A_type_that_is_not_known_here_is_caused_by_nothing_but_itself(string type)
    {
        var details = new TaskFailureDetails(type, "m", StackTrace: null, InnerFailure: null, Properties: null);
        Assert.False(details.IsCausedBy<Exception>());
        Assert.False(details.IsCausedBy<IOException>());
    }

    [Fact]
    public void Only_exceptions_cause_failures()
        => Assert.Throws<ArgumentException>(() => TaskFailureDetails.FromException(new IOException()).IsCausedBy(typeof(string)));

    [Fact]
    public void A_task_that_failed_by_an_exception_reports_its_details()
    {
        var failed = new TaskFailedException("Work", 3, new IOException("broken"));
        Assert.Equal(("Work", 3, "System.IO.IOException"), (failed.TaskName, failed.TaskId, failed.FailureDetails.ErrorType));
        Assert.IsType<IOException>(failed.InnerException);
    }

    private sealed class OwnException : InvalidOperationException;
}
