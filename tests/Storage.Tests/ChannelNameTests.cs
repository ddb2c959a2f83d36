namespace Baton.Storage.Tests;

/// <summary>What a channel may be called where it is stored.</summary>
public sealed class ChannelNameTests
{
    [Theory]
    [InlineData("orders-1", true)]
    [InlineData("a", true)]
    [InlineData("..a", true)]
    [InlineData("", false)]
    [InlineData(" ", false)]
    [InlineData(".", false)]
    [InlineData("..", false)]
    [InlineData("a/b", false)]
    [InlineData("a\\b", false)]
    [InlineData("a\n", false)]
    [InlineData("a?b", false)]
    [InlineData(null, false)]
    public void A_name_that_could_lead_elsewhere_is_refused(string? name, bool valid) => Assert.Equal(valid, ChannelName.IsValid(name));

    [Fact]
    public void A_name_has_at_most_128_characters()
    {
        Assert.True(ChannelName.IsValid(new string('a', 128)));
        Assert.StartsWith(ChannelName.Rule, Assert.Throws<ArgumentException>(() => ChannelName.Check(new string('a', 129))).Message, StringComparison.Ordinal);
    }
}
