using Baton.Core.Api;
using Baton.Core.Replication;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Replication;

public sealed class ReplicateConfigurationValidatorTests
{
    private static readonly string[] Two = ["ch1", "ch2"];
    private static readonly string[] Three = ["ch1", "ch2", "ch3"];

    private static readonly ReplicateConfiguration Grown = Of([C1(Three), C2(Three)], ("c1", "c2"));

    /// <summary>Number, incoming, current, actual channels, and the error's beginning, or null for no error.</summary>
    private static readonly (string Id, ReplicateConfiguration? Incoming, ReplicateConfiguration? Current, string[] Actual, string? Error)[] Cases =
    [
        ("V1", Base, null, Two, null),
        ("V2", Base, Base, Two, null),
        ("V3", null, null, Two, "config cannot be nil"),
        ("V3 before V6", null, Base, Two, "config cannot be nil"),
        ("V4", Of([]), null, Two, null),
        ("V4 absent list", new ReplicateConfiguration(null), null, Two, null),
        ("V5", Of([]), Of([C1(Two)]), Two, null),
        ("V6", Of([]), Base, Two, "config without clusters drops replication"),
        ("V7", Of([C1(Two), null], ("c1", "c2")), null, Two, "clusters[1] cannot be nil"),
        ("V7 first", Of([null, C1(Two)]), null, Two, "clusters[0] cannot be nil"),
        ("V8", Of([C1(Two), Named("", Two)]), null, Two, "clusters[1]: clusterId cannot be empty"),
        ("V9", Of([C1(Two), Named("cluster 1", Two)]), null, Two, "clusters[1]: clusterId cannot contain whitespace"),
        ("V9 other characters", Of([C1(Two), Named("Cluster1", Two)]), null, Two, "clusters[1]: clusterId must match"),
        ("V11", Of([C1(Two) with { Uri = "" }]), null, Two, "cluster c1: uri cannot be empty"),
        ("V12", Of([C1(Two) with { Uri = "not a uri" }]), null, Two, "cluster c1: uri must be an absolute URI or host:port"),
        ("V12 no port", Of([C1(Two) with { Uri = "localhost" }]), null, Two, "cluster c1: uri must be"),
        ("V12 wrong port", Of([C1(Two) with { Uri = "localhost:99999" }]), null, Two, "cluster c1: uri must be"),
        ("V12 path", Of([C1(Two) with { Uri = "/c1" }]), null, Two, "cluster c1: uri must be"),
        ("V12 host:port", Of([C1(Two) with { Uri = "localhost:19530" }]), null, Two, null),
        ("V12 IPv6", Of([C1(Two) with { Uri = "[::1]:19530" }]), null, Two, null),
        ("V13", Of([C1()]), null, Two, "cluster c1: pchannels cannot be empty"),
        ("V13 absent list", Of([C1() with { PChannels = null }]), null, Two, "cluster c1: pchannels cannot be empty"),
        ("V14", Of([C1("", "ch2")]), null, Two, "cluster c1: a pchannel cannot be empty"),
        ("V15", Of([C1("ch1", "ch1")]), null, Two, "cluster c1: pchannel ch1 is listed twice"),
        ("V15 separator in a name", Of([C1("ch1_v0", "ch2")]), null, Two, "cluster c1: a pchannel must match"),
        ("V16", Of([C1(Two), C2("ch1")], ("c1", "c2")), null, Two, "clusters must have the same number of pchannels"),
        ("V17", Of([C1(Two), C1(Two) with { Uri = "http://other:1" }]), null, Two, "clusters[1]: clusterId c1 is used twice"),
        ("V18", Of([C1(Two), C2(Two) with { Uri = C1().Uri }], ("c1", "c2")), null, Two, "cluster c2: uri http://c1.example:19530 is used twice"),
        ("V18 before V17", Of([C1(Two), C1(Two)]), null, Two, "cluster c1: uri http://c1.example:19530 is used twice"),
        ("V19", Of([C2(Two)]), null, Two, "current cluster c1 must be one of the clusters"),
        ("V20", Of([C1("ch1", "ch3"), C2(Two)], ("c1", "c2")), null, Two, "cluster c1: pchannels [ch1, ch3] are not the cluster's own [ch1, ch2]"),
        ("V21", Of([C1("ch2", "ch1"), C2(Two)], ("c1", "c2")), null, Two, null),
        ("V22 source", Of([C1(Two), C2(Two)], ("c9", "c2")), null, Two, "edges[0]: source c9 is not one of the clusters"),
        ("V22 target", Of([C1(Two), C2(Two)], ("c1", "c9")), null, Two, "edges[0]: target c9 is not one of the clusters"),
        ("V22 none entry", Base with { Topology = new ReplicateTopology([null]) }, null, Two, "edges[0] cannot be nil"),
        ("V22 to itself", Of([C1(Two), C2(Two)], ("c1", "c1")), null, Two, "edges[0]: cluster c1 cannot replicate to itself"),
        ("V23", Of([C1(Two), C2(Two)], ("c1", "c2"), ("c1", "c2")), null, Two, "edges[1]: edge c1->c2 is listed twice"),
        ("V25", Of([C1(Two), C2(Two)], ("c1", "c2"), ("c2", "c1")), null, Two, "topology must be a star"),
        ("V26", Of([C1(Two), C2(Two), Named("c3", Two)], ("c1", "c2"), ("c1", "c3"), ("c2", "c3")), null, Two, "topology must be a star"),
        ("V26 two sources", Of([C1(Two), C2(Two), Named("c3", Two)], ("c1", "c3"), ("c2", "c3")), null, Two, "topology must be a star"),
        ("V26 no edge", Of([C1(Two), C2(Two)]), null, Two, "topology must be a star"),
        ("V26 a star of three", Of([C1(Two), C2(Two), Named("c3", Two)], ("c1", "c2"), ("c1", "c3")), null, Two, null),
        ("V27", Grown, Base, Three, null),
        ("V28", Of([C1("ch1"), C2("ch1")], ("c1", "c2")), Base, ["ch1"], "cluster c1: pchannels cannot shrink from 2 to 1"),
        ("V29", Of([C1("ch2", "ch1", "ch3"), C2("ch2", "ch1", "ch3")], ("c1", "c2")), Base, Three, "cluster c1: pchannel ch1 must keep position 0"),
        ("V30", Of([C1(Two), C2(Two) with { Uri = "http://moved:1" }], ("c1", "c2")), Base, Two, "cluster c2: uri cannot change"),
        ("V30 token", Of([C1(Two), C2(Two) with { Token = "s3cret" }], ("c1", "c2")), Base, Two, "cluster c2: token cannot change"),
        ("V30 an empty token is none", Of([C1(Two), C2(Two) with { Token = "" }], ("c1", "c2")), Base, Two, null),
        ("V31", Of([C1(Three), C2(Three)], ("c2", "c1")), Base, Three, "edges cannot change in the update that adds pchannels"),
        ("V31 growing with a new cluster", Of([C1(Three), C2(Three), Named("c3", Three)], ("c1", "c2"), ("c1", "c3")), Base, Three, "clusters cannot be added or removed"),
        ("V31 flipped without growing", Of([C1(Two), C2(Two)], ("c2", "c1")), Base, Two, null),
    ];

    public static TheoryData<string> Ids => [.. Cases.Select(c => c.Id)];

    [Theory]
    [MemberData(nameof(Ids))]
    public void Validator_finds_the_first_error(string id)
    {
        var test = Cases.Single(c => string.Equals(c.Id, id, StringComparison.Ordinal));

        var error = ReplicateConfigurationValidator.Validate(test.Incoming, test.Current, "c1", test.Actual);

        if (test.Error is null)
        {
            Assert.Null(error);
            return;
        }

        Assert.NotNull(error);
        Assert.Equal(ApiErrorCode.InvalidArgument, error.Code);
        Assert.StartsWith(test.Error, error.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", error.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Nil_detail_is_word_for_word() =>
        Assert.Equal("config cannot be nil", ReplicateConfigurationValidator.Validate(null, null, "c1", Two)?.Detail);
}
