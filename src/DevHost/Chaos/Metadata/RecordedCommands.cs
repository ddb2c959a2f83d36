using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Load;

namespace Baton.DevHost.Chaos.Metadata;

/// <summary>One request with commands, as its sender knows it.</summary>
/// <param name="Commands">What it asked for, in order. <see cref="CommandMarks.Of"/> each is something that no other command has.</param>
/// <param name="Written">How sure it is that they are in the log.</param>
/// <param name="FirstLsn">Where the first was acknowledged, the others behind it; 0 without acknowledgement.</param>
public sealed record RecordedCommands(IReadOnlyList<MetadataCommand> Commands, Written Written, long FirstLsn = 0);

/// <summary>What tells a command of a load from every other.</summary>
public static class CommandMarks
{
    /// <summary>Setting of a topic that holds the mark of who created or changed it.</summary>
    public const string Setting = "by";

    /// <summary>The mark; null for commands that are no load's.</summary>
    public static string? Of(MetadataCommand command) => command switch
    {
        CreateTopic c => c.Config?.GetValueOrDefault(Setting) is { } by ? $"create {c.Name} {by}" : null,
        UpdateTopicConfig c => c.Config.GetValueOrDefault(Setting) is { } by ? $"change {c.Name} {by}" : null,
        DeleteTopic { TopicId: { } id } c => $"delete {c.Name} {id}",
        CreateConsumerGroup c => $"group {c.GroupId}",
        DeleteConsumerGroup c => $"no group {c.GroupId}",
        CommitOffset { Note: { } note } c => $"offset {c.GroupId} {note}",
        _ => null,
    };
}
