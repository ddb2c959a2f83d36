namespace Baton.Core.Metadata;

/// <summary>
/// The log has a command that this node does not know: its writer is newer. Applying stops here, since a state without the command would be another one than the writer's.
/// </summary>
public sealed class UnknownMetadataCommandException : Exception
{
    /// <summary>About a command of <paramref name="type"/> at format <paramref name="version"/>.</summary>
    public UnknownMetadataCommandException(string type, long version)
        : base($"The metadata log has a command of type '{type}' in format version {version}, which this node does not know: it is older than the log's writer and must be updated. It applies nothing from here on.")
    {
        Type = type;
        Version = version;
    }

    /// <summary>The command's type, as the log has it.</summary>
    public string Type { get; }

    /// <summary>The format's version, as the log has it.</summary>
    public long Version { get; }
}
