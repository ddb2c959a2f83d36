namespace Baton.Core.Cluster;

/// <summary>Which of several equally good nodes is to lead a channel.</summary>
public enum LeaderPolicy
{
    /// <summary>The leader of <see cref="MetadataChannel.Name"/>, where it is among them; else as <see cref="Spread"/>.</summary>
    PreferCoordinator,

    /// <summary>The nodes that lead fewest channels.</summary>
    Spread,
}
