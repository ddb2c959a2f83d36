using System.Buffers.Binary;
using Baton.Core.Channels;
using Baton.Core.Wal;

namespace Baton.Core.Metadata;

/// <summary>
/// A state as bytes: its version, everything that commands can change, in one order, and a checksum (CRC-32C). Equal states have equal bytes, however they came about: the hash is made of them.
/// Numbers are varints and texts have their length in front, as in the log's format; 100,000 topics are about 4 MB.
/// </summary>
public static class MetadataSnapshot
{
    /// <summary>The version that this node writes, and the only one that it reads. Another one is another hash for the same state.</summary>
    public const int Version = 1;

    private const int ChecksumBytes = sizeof(uint);

    /// <summary>The bytes of <paramref name="state"/>.</summary>
    public static byte[] Encode(MetadataState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var writer = new SnapshotWriter();
        writer.Number(Version);
        writer.Number(state.LastLsn);
        writer.Number(state.GenerationFloor);
        writer.Number(state.Topics.Count);
        foreach (var (_, topic) in state.Topics)
        {
            Write(writer, topic);
        }

        writer.Number(state.Nodes.Count);
        foreach (var (_, node) in state.Nodes)
        {
            writer.Text(node.NodeId);
            writer.Text(node.Endpoint.OriginalString);
            writer.Number(node.Incarnation);
            Write(writer, node.Zone);
            writer.Number(node.Capacity);
            writer.Number((long)node.Status);
        }

        writer.Number(state.Groups.Count);
        foreach (var (_, group) in state.Groups)
        {
            Write(writer, group);
        }

        // By the LSN of the deletion: which one is forgotten next is part of the state.
        writer.Number(state.DeletedOrder.Count);
        foreach (var (lsn, name) in state.DeletedOrder)
        {
            writer.Number(lsn);
            writer.Text(name);
            writer.Number(state.Deleted[name].Generation);
        }

        var encoded = new byte[writer.Written.Length + ChecksumBytes];
        writer.Written.CopyTo(encoded);
        BinaryPrimitives.WriteUInt32LittleEndian(encoded.AsSpan(encoded.Length - ChecksumBytes), Crc32C.Compute(writer.Written));
        return encoded;
    }

    /// <summary>The state of <paramref name="content"/>; null, and why, where it is of another version or damaged: the log has to be read instead.</summary>
    public static MetadataState? TryDecode(ReadOnlySpan<byte> content, out string? problem)
    {
        problem = null;
        try
        {
            var version = new SnapshotReader(content).Number("version");
            if (version != Version)
            {
                problem = $"version {version} is unknown";
                return null;
            }

            if (content.Length < ChecksumBytes || BinaryPrimitives.ReadUInt32LittleEndian(content[^ChecksumBytes..]) != Crc32C.Compute(content[..^ChecksumBytes]))
            {
                problem = "its checksum is wrong";
                return null;
            }

            return MetadataSnapshotReader.Read(content[..^ChecksumBytes]);
        }
        catch (WalFormatException e)
        {
            problem = e.Message;
            return null;
        }
    }

    private static void Write(SnapshotWriter writer, TopicState topic)
    {
        writer.Text(topic.Name);
        writer.Number(topic.TopicId);
        writer.Number(topic.CreatedAt.UtcTicks);
        writer.Number(topic.Generation);
        writer.Number(topic.PartitionCount);
        writer.Number(topic.ReplicationFactor);
        writer.Number(topic.Config.Count);
        foreach (var (key, value) in topic.Config)
        {
            writer.Text(key);
            writer.Text(value);
        }

        // The channels' names follow from the topic.
        writer.Number(topic.Partitions.Count);
        foreach (var (number, partition) in topic.Partitions)
        {
            writer.Number(number);
            Write(writer, partition.Leader);
            writer.Number(partition.Term);
            Write(writer, partition.Replicas);
            Write(writer, partition.Isr);
            writer.Number(partition.HighWatermark);
        }
    }

    private static void Write(SnapshotWriter writer, ConsumerGroup group)
    {
        writer.Text(group.GroupId);
        Write(writer, group.Protocol);
        writer.Number((long)group.State);
        writer.Number(group.Generation);
        Write(writer, group.Leader);
        writer.Number(group.Members.Length);
        foreach (var member in group.Members)
        {
            writer.Text(member.MemberId);
            Write(writer, member.ClientId);
            writer.Flag(member.Topics is not null);
            if (member.Topics is not null)
            {
                Write(writer, member.Topics);
            }

            Write(writer, member.Assignment);
        }

        writer.Number(group.Offsets.Count);
        foreach (var (topic, partitions) in group.Offsets)
        {
            writer.Text(topic);
            writer.Number(partitions.Count);
            foreach (var (partition, offset) in partitions)
            {
                writer.Number(partition);
                writer.Number(offset.Offset);
                Write(writer, offset.Note);
                writer.Number(offset.At.UtcTicks);
            }
        }
    }

    private static void Write(SnapshotWriter writer, IReadOnlyList<string> texts)
    {
        writer.Number(texts.Count);
        for (var i = 0; i < texts.Count; i++)
        {
            writer.Text(texts[i]);
        }
    }

    private static void Write(SnapshotWriter writer, string? text)
    {
        writer.Flag(text is not null);
        if (text is not null)
        {
            writer.Text(text);
        }
    }
}
