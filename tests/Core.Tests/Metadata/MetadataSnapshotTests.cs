using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Metadata;

namespace Baton.Core.Tests.Metadata;

public sealed class MetadataSnapshotTests
{
    [Fact]
    public void A_snapshot_gives_back_the_state_with_its_hash_and_all_that_can_be_seen_of_it()
    {
        var state = Catalogue.Of(Catalogue.OneOfEach);
        var decoded = MetadataSnapshot.TryDecode(MetadataSnapshot.Encode(state), out var problem);
        Assert.Null(problem);
        Assert.Equal(state, decoded);
        Assert.Equal(state.Hash(), decoded!.Hash());
        Assert.Equal(Seen(state), Seen(decoded));
        Assert.Equal((state.PartitionCount, state.OffsetCount), (decoded.PartitionCount, decoded.OffsetCount));
        Assert.Equal(state.UnassignedTopics, decoded.UnassignedTopics);
    }

    [Fact]
    public void An_empty_state_has_a_snapshot() => Assert.Equal(MetadataState.Empty, MetadataSnapshot.TryDecode(MetadataSnapshot.Encode(MetadataState.Empty), out _));

    [Fact]
    public void The_bytes_do_not_change_unnoticed() =>
        Assert.Equal("b9f9abdcc7c447ba0adf505f1c6a6e1fdd5984f3c8e9e3a71313032cf3157d95", Catalogue.Of(Catalogue.OneOfEach).Hash());

    [Fact]
    public void Each_command_that_changes_anything_changes_the_hash()
    {
        var state = MetadataState.Empty;
        foreach (var command in Catalogue.OneOfEach)
        {
            var next = state.With(command);
            Assert.True(next.Hash() != state.Skip(next.LastLsn).Hash(), $"{command} is not in the hash");
            state = next;
        }

        Assert.NotEqual(state.Hash(), state.Skip(state.LastLsn + 1).Hash());
    }

    [Fact]
    public void Another_version_is_said_and_not_read()
    {
        var bytes = MetadataSnapshot.Encode(Catalogue.Of(Catalogue.OneOfEach));
        bytes[0] = 2;
        Assert.Null(MetadataSnapshot.TryDecode(bytes, out var problem));
        Assert.Equal("version 2 is unknown", problem);
    }

    [Fact]
    public void No_prefix_and_no_flipped_bit_is_read()
    {
        var bytes = MetadataSnapshot.Encode(Catalogue.Of(Catalogue.OneOfEach));
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Null(MetadataSnapshot.TryDecode(bytes.AsSpan(0, length), out var problem));
            Assert.NotNull(problem);
        }

        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(MetadataSnapshot.TryDecode(bytes, out var problem));
            Assert.NotNull(problem);
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Damage_behind_a_right_checksum_is_said_or_is_a_state_with_these_very_bytes()
    {
        var bytes = MetadataSnapshot.Encode(Catalogue.Of(Catalogue.OneOfEach));
        for (var bit = 8; bit < (bytes.Length - 4) * 8; bit++)
        {
            var flipped = (byte[])bytes.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(flipped.AsSpan(flipped.Length - 4), Baton.Core.Wal.Crc32C.Compute(flipped.AsSpan(0, flipped.Length - 4)));
            if (MetadataSnapshot.TryDecode(flipped, out var problem) is { } state)
            {
                Assert.Equal(flipped, MetadataSnapshot.Encode(state));
            }
            else
            {
                Assert.NotNull(problem);
            }
        }
    }

    private static string Seen(MetadataState state) => JsonSerializer.Serialize(
        new { Topics = MetadataViews.Topics(state), Nodes = MetadataViews.Nodes(state), Groups = state.Groups.Keys.Select(g => MetadataViews.Group(state, g)), state.Deleted, state.GenerationFloor }, BatonJson.Options);
}
