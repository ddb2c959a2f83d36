namespace Baton.Core.Cluster;

/// <summary>Which of several equally good nodes is to lead a channel.</summary>
public enum LeaderPolicy
{
    /// <summary>The leader of <see cref="MetadataChannel.Name"/>, where it is among them; else as <see cref="Spread"/>.</summary>
    PreferCoordinator,

    /// <summary>The nodes that lead fewest channels.</summary>
    Spread,
}

/// <summary>The channel that carries the cluster's metadata. Its leader is the metadata leader, or coordinator.</summary>
public static class MetadataChannel
{
    /// <summary>Its name. No client can create a channel of this name.</summary>
    public const string Name = "__metadata";
}
