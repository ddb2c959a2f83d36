namespace Baton.Durable.Tests.Orchestrations;

public sealed class NameTests
{
    [Fact]
    public void Names_are_the_same_whatever_their_case()
    {
        TaskName name = "Work";
        Assert.True(name == "WORK" && name != "Other" && name.Equals((object)new TaskName("work")));
        Assert.Equal(name.GetHashCode(), new TaskName("WORK").GetHashCode());
        string text = name;
        Assert.Equal("Work", text);
        Assert.Equal("Work:2", new TaskName("Work", "2").ToString());
    }

    [Fact]
    public void No_text_is_no_name()
    {
        Assert.Equal(default, (TaskName)string.Empty);
        Assert.Equal(default, (TaskName)null!);
        Assert.Equal(0, default(TaskName).GetHashCode());
    }

    [Fact]
    public void No_text_is_no_version()
    {
        Assert.Equal(TaskVersion.Unversioned, (TaskVersion)(string?)null);
        Assert.Equal(TaskVersion.Unversioned, (TaskVersion)string.Empty);
        Assert.True(new TaskVersion("a") == "A" && new TaskVersion("a") != "b");
        Assert.Throws<ArgumentException>(() => new TaskVersion(" "));
    }

    [Fact]
    public void Options_for_a_child_keep_what_they_are_made_of()
    {
        var policy = new RetryPolicy(2, TimeSpan.FromSeconds(1));
        SubOrchestrationOptions options = new TaskOptions(policy) { Version = "2" }.WithInstanceId("child");
        Assert.Equal((policy, "2", "child"), (options.Retry!.Policy, options.Version!.Value.Version, options.InstanceId));
        var copy = new SubOrchestrationOptions((TaskOptions)options);
        Assert.Equal(("child", "2"), (copy.InstanceId, ((TaskOptions)copy).Version!.Value.Version));
        Assert.Equal("other", (options with { InstanceId = "other" }).InstanceId);
    }

    [Fact]
    public void Retry_options_hold_a_policy_or_a_handler()
    {
        TaskRetryOptions byHandler = new RetryHandler(_ => false);
        Assert.Null(byHandler.Policy);
        Assert.NotNull(byHandler.Handler);
        Assert.Null(TaskOptions.FromRetryPolicy(new RetryPolicy(1, TimeSpan.FromSeconds(1))).Retry!.Handler);
    }
}
