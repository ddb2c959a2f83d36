namespace Baton.Core.Metadata;

/// <summary>Bounds of the catalogue, which every node holds in memory, and of one command, whose record has to fit into 1 MiB.</summary>
public static class MetadataLimits
{
    /// <summary>Partitions of one topic.</summary>
    public const int MaxPartitionsPerTopic = 1_000;

    /// <summary>Copies of a partition.</summary>
    public const int MaxReplicationFactor = 7;

    /// <summary>Nodes that keep a copy of a partition: more than are asked for while copies move from node to node.</summary>
    public const int MaxOwners = 32;

    /// <summary>Settings of one topic.</summary>
    public const int MaxConfigEntries = 64;

    /// <summary>Characters of a setting's name.</summary>
    public const int MaxConfigKeyLength = 128;

    /// <summary>Characters of a setting's value.</summary>
    public const int MaxConfigValueLength = 4_096;

    /// <summary>Members of one group.</summary>
    public const int MaxGroupMembers = 1_000;

    /// <summary>Topics that one member wants to read.</summary>
    public const int MaxTopicsPerMember = 1_000;

    /// <summary>Characters of a member's id, a client's id and a protocol.</summary>
    public const int MaxMemberTextLength = 128;

    /// <summary>Characters of a member's assignment.</summary>
    public const int MaxAssignmentLength = 4_096;

    /// <summary>Characters of an offset's note.</summary>
    public const int MaxNoteLength = 4_096;

    /// <summary>Characters of a node's address.</summary>
    public const int MaxEndpointLength = 2_048;

    /// <summary>Characters of a node's zone.</summary>
    public const int MaxZoneLength = 128;

    /// <summary>Characters of all free texts of one command: each takes 6 bytes of the record at most, as an escape.</summary>
    public const int MaxTextPerCommand = 128 * 1_024;

    /// <summary>Commands of one request.</summary>
    public const int MaxCommandsPerRequest = 1_000;

    /// <summary>Topics.</summary>
    public const int MaxTopics = 100_000;

    /// <summary>Partitions of all topics.</summary>
    public const int MaxPartitions = 1_000_000;

    /// <summary>Groups.</summary>
    public const int MaxGroups = 100_000;

    /// <summary>Offsets of one group.</summary>
    public const int MaxOffsetsPerGroup = 10_000;

    /// <summary>Offsets of all groups.</summary>
    public const int MaxOffsets = 1_000_000;

    /// <summary>Nodes.</summary>
    public const int MaxNodes = 10_000;

    /// <summary>Deleted topics whose generation is remembered. Part of how commands are applied: another number is another state for the same log, so it must not change.</summary>
    public const int MaxRememberedNames = 100_000;

    /// <summary>The last generation that fits into a channel's name.</summary>
    public const long MaxGeneration = 999_999_999;

    /// <summary>Partitions of a topic whose command does not say. Part of how commands are applied, see <see cref="MaxRememberedNames"/>.</summary>
    public const int DefaultPartitions = 1;

    /// <summary>Copies of a partition whose topic's command does not say. Part of how commands are applied, see <see cref="MaxRememberedNames"/>.</summary>
    public const int DefaultReplicationFactor = 3;

    /// <summary>Rows of one page of a list.</summary>
    public const int MaxPage = 1_000;

    /// <summary>Partitions of the topics of one page, unless one topic alone has more: about 2 MB of JSON.</summary>
    public const int MaxPartitionsPerPage = 10_000;
}
