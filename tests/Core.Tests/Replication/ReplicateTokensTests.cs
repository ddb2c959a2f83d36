using Baton.Core.Replication;

namespace Baton.Core.Tests.Replication;

public sealed class ReplicateTokensTests
{
    private static readonly ReplicateConfiguration Current = new([new("c1", "http://c1", ["ch1"], "t1"), new("c2", "http://c2", ["ch1"], "t2")]);

    [Fact]
    public void What_is_shown_has_no_token()
    {
        var shown = ReplicateTokens.Hidden(Current)!;

        Assert.All(shown.Clusters!, c => Assert.Null(c!.Token));
        Assert.Equal(2, shown.Clusters!.Count);
    }

    [Fact]
    public void A_configuration_that_was_read_and_sent_back_is_the_one_in_force()
    {
        Assert.True(ReplicateEquality.Same(Current, ReplicateTokens.Kept(ReplicateTokens.Hidden(Current), Current)));
    }

    [Theory]
    [InlineData(null, "t1")]
    [InlineData("", "")]
    [InlineData("other", "other")]
    public void Only_a_token_that_is_left_out_is_taken_from_the_configuration_in_force(string? sent, string kept)
    {
        var incoming = new ReplicateConfiguration([Current.Clusters![0]! with { Token = sent }]);

        Assert.Equal(kept, ReplicateTokens.Kept(incoming, Current)!.Clusters![0]!.Token);
    }

    [Fact]
    public void Missing_parts_stay_missing_for_the_validator_to_name()
    {
        Assert.Null(ReplicateTokens.Kept(null, Current));
        Assert.Null(ReplicateTokens.Kept(new ReplicateConfiguration(null), Current)!.Clusters);
        Assert.Null(ReplicateTokens.Kept(new ReplicateConfiguration([null]), Current)!.Clusters![0]);
        Assert.Equal("t1", ReplicateTokens.Kept(Current, null)!.Clusters![0]!.Token);
    }
}
