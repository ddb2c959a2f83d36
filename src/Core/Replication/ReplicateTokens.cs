namespace Baton.Core.Replication;

/// <summary>Tokens of a configuration: credentials that go in and are never shown.</summary>
public static class ReplicateTokens
{
    /// <summary><paramref name="configuration"/> as it may be shown: without tokens.</summary>
    public static ReplicateConfiguration? Hidden(ReplicateConfiguration? configuration) => Map(configuration, c => c with { Token = null });

    /// <summary>
    /// <paramref name="incoming"/> with the tokens in force where it leaves them out. Whoever reads a configuration, changes it and sends it back has never seen
    /// them, and in an emergency must not need to. An empty text is a token: none.
    /// </summary>
    public static ReplicateConfiguration? Kept(ReplicateConfiguration? incoming, ReplicateConfiguration? current) =>
        Map(incoming, c => c.Token is null ? c with { Token = current?.Find(c.ClusterId)?.Token } : c);

    private static ReplicateConfiguration? Map(ReplicateConfiguration? configuration, Func<ReplicateCluster, ReplicateCluster> change) =>
        configuration?.Clusters is null ? configuration : configuration with { Clusters = [.. configuration.Clusters.Select(c => c is null ? null : change(c))] };
}
