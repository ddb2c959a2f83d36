using Baton.Core.Api;
using Baton.Core.Replication;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Replication;

public sealed class ChannelNamesTests
{
    private static readonly ReplicateConfiguration Pair = Of([Named("a", "a-0", "a-1"), Named("b", "b-0", "b-1")], ("a", "b"));

    [Theory]
    [InlineData("a", "b", "a-0", "b-0")]
    [InlineData("a", "b", "a-1", "b-1")]
    [InlineData("b", "a", "b-1", "a-1")]
    [InlineData("a", "b", "a-2", null)]
    [InlineData("a", "c", "a-0", null)]
    [InlineData("c", "b", "a-0", null)]
    public void V34_channels_correspond_by_position(string from, string to, string channel, string? expected) =>
        Assert.Equal(expected, ChannelMapping.Target(Pair, from, to, channel));

    [Theory]
    [InlineData("a-1_v3", "b-1_v3")]
    [InlineData("a-0_vcontrol", "b-0_vcontrol")]
    [InlineData("a-0", "b-0")]
    [InlineData("a-9_v3", null)]
    public void V34_vchannels_keep_their_suffix(string vchannel, string? expected) =>
        Assert.Equal(expected, ChannelMapping.TargetVChannel(Pair, "a", "b", vchannel));

    [Fact]
    public void V34_nothing_corresponds_without_a_configuration() => Assert.Null(ChannelMapping.Target(null, "a", "b", "a-0"));

    [Theory]
    [InlineData("a", true)]
    [InlineData("0a.b_c-d", true)]
    [InlineData("", false)]
    [InlineData(null, false)]
    [InlineData("-a", false)]
    [InlineData("A", false)]
    [InlineData("a b", false)]
    [InlineData("ä", false)]
    [InlineData("a/b", false)]
    public void Ids_match_their_form(string? id, bool valid) => Assert.Equal(valid, Names.IsValidId(id));

    [Fact]
    public void Ids_have_at_most_63_characters()
    {
        Assert.True(Names.IsValidId(new string('a', 63)));
        Assert.False(Names.IsValidId(new string('a', 64)));
    }

    [Theory]
    [InlineData("ch1", "ch1", true)]
    [InlineData("ch1_v0", "ch1", true)]
    [InlineData("ch_1_vcontrol", "ch_1", true)]
    [InlineData("ch1_v", "ch1", false)]
    [InlineData("ch1_v0_v1", "ch1_v0", false)]
    [InlineData("_v0", "", false)]
    [InlineData("ch1_vA", "ch1", false)]
    public void A_vchannel_is_split_at_the_last_separator(string vchannel, string channel, bool valid)
    {
        Assert.Equal(channel, VChannels.ChannelOf(vchannel));
        Assert.Equal(valid, VChannels.IsValid(vchannel));
    }

    [Fact]
    public void The_control_vchannel_is_one_of_its_channel()
    {
        var control = VChannels.Control("ch1");

        Assert.Equal("ch1_vcontrol", control);
        Assert.True(VChannels.IsControl(control));
        Assert.False(VChannels.IsControl("ch1_v0"));
        Assert.Equal("ch1", VChannels.ChannelOf(control));
        Assert.False(VChannels.IsValidChannel(control));
    }
}
