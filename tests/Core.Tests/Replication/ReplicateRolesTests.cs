using Baton.Core.Replication;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Replication;

public sealed class ReplicateRolesTests
{
    [Fact]
    public void Edges_make_the_roles()
    {
        Assert.Equal(ClusterRole.Primary, ReplicateRoles.RoleOf(Base, "c1"));
        Assert.Equal(ClusterRole.Secondary, ReplicateRoles.RoleOf(Base, "c2"));
        Assert.Equal(ClusterRole.Standalone, ReplicateRoles.RoleOf(Base, "dropped"));
        Assert.Equal(ClusterRole.Standalone, ReplicateRoles.RoleOf(null, "c1"));
        Assert.Equal(ClusterRole.Standalone, ReplicateRoles.RoleOf(Of([C1("ch1")]), "c1"));
        Assert.Equal("c1", ReplicateRoles.SourceOf(Base, "c2"));
        Assert.Null(ReplicateRoles.SourceOf(Base, "c1"));
        Assert.Equal(["c2"], ReplicateRoles.TargetsOf(Base, "c1"));
    }

    [Fact]
    public void The_order_of_pchannels_makes_a_difference_and_the_order_of_clusters_does_not()
    {
        Assert.True(ReplicateEquality.Same(Base, Of([C2("ch1", "ch2"), C1("ch1", "ch2")], ("c1", "c2"))));
        Assert.False(ReplicateEquality.Same(Base, Of([C1("ch2", "ch1"), C2("ch1", "ch2")], ("c1", "c2"))));
        Assert.False(ReplicateEquality.Same(Base, Of([C1("ch1", "ch2"), C2("ch1", "ch2")], ("c2", "c1"))));
        Assert.False(ReplicateEquality.Same(Base, Of([C1("ch1", "ch2"), C2("ch1", "ch2") with { Token = "t" }], ("c1", "c2"))));
        Assert.True(ReplicateEquality.Same(null, Of([])));
    }

    [Fact]
    public void Names_that_run_together_are_not_the_same() =>
        Assert.False(ReplicateEquality.Same(Of([C1("a", "b,c")]), Of([C1("a,b", "c")])));
}
