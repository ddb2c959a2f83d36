using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Replication;

namespace Baton.Functions.Topics;

/// <summary>What both requests for topics' channels have to be like.</summary>
internal static class TopicRequests
{
    /// <summary>Room for as many channels as a request may have, with the longest names.</summary>
    public const int MaxBodyBytes = 256 * 1024;

    /// <summary>Checks a request for channels.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.InvalidArgument"/>.</exception>
    public static void Check(CreateTopicChannelsRequest body)
    {
        CheckTerm(body.MetadataTerm);
        CheckNames(body.Channels?.Select(c => c?.Name));
        Require(body.Channels!.All(c => ExactNumbers.IsPosition(c.TopicId)), "'topicId' of each of 'channels' must be above 0 and below 2^53.");
        Require(
            body.Channels!.All(c => c.ReplicationFactor is >= 1 and <= PartitionInitializer.MaxReplicationFactor),
            $"'replicationFactor' of each of 'channels' must be 1 to {PartitionInitializer.MaxReplicationFactor}.");
    }

    /// <summary>Checks a request that gives channels up.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.InvalidArgument"/>.</exception>
    public static void Check(DeleteTopicChannelsRequest body)
    {
        CheckTerm(body.MetadataTerm);
        CheckNames(body.Channels?.Select(c => c?.Name));
        Require(body.Channels!.All(c => ExactNumbers.IsPosition(c.TopicId)), "'topicId' of each of 'channels' must be above 0 and below 2^53.");
    }

    /// <summary>The state to write, or to leave as it is.</summary>
    /// <exception cref="ApiException">The request is refused.</exception>
    public static ClusterState StateOf(TopicChannelsResult result) => result.Error is { } error ? throw error.ToException() : result.State;

    private static void CheckTerm(long metadataTerm) => Require(ExactNumbers.IsPosition(metadataTerm), "'metadataTerm' must be the term at which the asker leads the metadata: above 0 and below 2^53.");

    private static void CheckNames(IEnumerable<string?>? names)
    {
        var all = names?.ToList() ?? [];
        Require(all.Count is >= 1 and <= CreateTopicChannelsRequest.MaxChannels, $"'channels' must be 1 to {CreateTopicChannelsRequest.MaxChannels} objects.");
        Require(all.TrueForAll(VChannels.IsValidChannel), "'name' of each of 'channels' must be 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit, without \"_v\".");
        Require(all.ToHashSet(StringComparer.Ordinal).Count == all.Count, "'channels' names one twice.");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, otherwise);
        }
    }
}
