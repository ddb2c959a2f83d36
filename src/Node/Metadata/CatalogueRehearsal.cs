using System.Globalization;
using Baton.Core.Metadata;
using Baton.Node.Channels;

namespace Baton.Node.Metadata;

/// <summary>
/// Makes and reads a small catalogue before the node joins, so that reading the real one, which is the first thing that a member does, is not also the first time that any of it is compiled: for a large one that would be a third of a second and more.
/// </summary>
internal static class CatalogueRehearsal
{
    private const int Topics = 400;
    private const int Rounds = 3;

    /// <summary>Makes and reads it.</summary>
    public static void Run()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var state = MetadataState.Empty;
            foreach (var command in Commands())
            {
                state = state.Apply(state.LastLsn + 1, DateTimeOffset.UnixEpoch, MetadataCodec.Decode(MetadataCodec.Encode(command)));
            }

            var snapshot = new ChannelSnapshot(ChannelSnapshot.Present, [], [], [], MetadataSnapshot.Encode(state)).Encode();
            if (ChannelSnapshot.TryDecode(snapshot, out _) is not { } content || MetadataSnapshots.TryDecode(content, state.LastLsn, out _) is not { } read || read.Hash() != state.Hash())
            {
                throw new InvalidOperationException("A catalogue that was made here cannot be read here.");
            }
        }
    }

    private static IEnumerable<MetadataCommand> Commands()
    {
        yield return new RegisterNode("rehearsal", new Uri("http://127.0.0.1:1"), 1);
        yield return new CreateConsumerGroup("rehearsal");
        for (var i = 0; i < Topics; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"rehearsal{i}");
            yield return new CreateTopic(name, 1, 1);
            yield return new AssignPartition(name, 0, PartitionChannels.NameOf(name, 0, 1), ["rehearsal"], "rehearsal", 1);
            yield return new SetHighWatermark(name, 0, i);
            yield return new CommitOffset("rehearsal", name, 0, i);
        }
    }
}
