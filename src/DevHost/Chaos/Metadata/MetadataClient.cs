using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Clients;
using Baton.DevHost.Chaos.Load;

namespace Baton.DevHost.Chaos.Metadata;

/// <summary>
/// A client of the catalogue with topics and groups of its own: creates, deletes and creates again with another number of partitions, changes settings, commits offsets, one request after the other.
/// Every name and note says who, so that each command is known again in the log.
/// </summary>
/// <param name="sender">Sends its requests.</param>
/// <param name="record">Hears of each request what there is to know of it, when it is over.</param>
/// <param name="counts">Hears what is wrong with an answer.</param>
/// <param name="acknowledgements">Hears when each was acknowledged.</param>
/// <param name="pace">Its pauses, and what it does.</param>
/// <param name="id">Begins all its names.</param>
internal sealed class MetadataClient(AnyNodeSender sender, Action<RecordedCommands> record, SendCounts counts, Acknowledgements acknowledgements, ClientPace pace, string id)
{
    /// <summary>Each topic is channels that nodes open: a few at a time suffice.</summary>
    private const int MostTopics = 4;

    private const int MostGroups = 20;
    private readonly List<(string Name, long TopicId, int Partitions)> _topics = [];
    private readonly List<(string Name, int Partitions)> _deleted = [];
    private readonly List<string> _groups = [];
    private int _number;

    /// <summary>Runs until told to finish.</summary>
    /// <param name="finish">No further request after the one under way.</param>
    /// <param name="abort">Not even that one is waited for.</param>
    public async Task RunAsync(CancellationToken finish, CancellationToken abort)
    {
        try
        {
            while (!finish.IsCancellationRequested)
            {
                _number++;
                await StepAsync(abort);
                await pace.PauseAsync(finish);
            }
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested)
        {
            // What was under way has been recorded.
        }
    }

    private Task StepAsync(CancellationToken abort)
    {
        switch (pace.Draw(20))
        {
            case 0 when _topics.Count < MostTopics:
            case var _ when _topics.Count == 0:
                return CreateAsync(string.Create(CultureInfo.InvariantCulture, $"{id}-{_number}"), 1 + pace.Draw(2), abort);
            case 1 when _topics.Count > 1:
                return DeleteAsync(_topics[pace.Draw(_topics.Count)], abort);
            case 2 when _deleted.Count > 0 && _topics.Count < MostTopics:
                var again = _deleted[pace.Draw(_deleted.Count)];
                return CreateAsync(again.Name, 3 - again.Partitions, abort);
            case 3 when _groups.Count > 1:
                var group = _groups[pace.Draw(_groups.Count)];
                return SendAsync([new DeleteConsumerGroup(group)], _ => _groups.Remove(group), abort);
            case 4 or 5:
                var topic = _topics[pace.Draw(_topics.Count)];
                return SendAsync([new UpdateTopicConfig(topic.Name, Marked<string?>())], _ => { }, abort);
            case 6 when _groups.Count < MostGroups:
            case var _ when _groups.Count == 0:
                return CreateGroupAsync(abort);
            default:
                return CommitAsync(1 + (2 * pace.Draw(2)), abort);
        }
    }

    private Task CreateAsync(string name, int partitions, CancellationToken abort) => SendAsync(
        [new CreateTopic(name, partitions, 2, Marked<string>())],
        answer =>
        {
            _deleted.RemoveAll(d => d.Name == name);
            _topics.Add((name, answer.FirstLsn, partitions));
            if (answer.Topics is not [var view] || view.Name != name || view.TopicId != answer.FirstLsn || view.Partitions.Count != partitions || view.Partitions.Any(p => p.Leader is null))
            {
                counts.AddError($"{id}: {name}, created at LSN {answer.FirstLsn} with {partitions} partitions, was answered without the topic as it was asked for, or without a leader of each partition");
            }
        },
        abort);

    private Task DeleteAsync((string Name, long TopicId, int Partitions) topic, CancellationToken abort) => SendAsync(
        [new DeleteTopic(topic.Name, topic.TopicId)],
        _ =>
        {
            _topics.Remove(topic);
            _deleted.Add((topic.Name, topic.Partitions));
        },
        abort);

    // A group and an offset of it in one request: there are never half of them.
    private Task CreateGroupAsync(CancellationToken abort)
    {
        var group = string.Create(CultureInfo.InvariantCulture, $"{id}-g{_number}");
        return SendAsync([new CreateConsumerGroup(group), Offset(group, 0)], _ => _groups.Add(group), abort);
    }

    private Task CommitAsync(int count, CancellationToken abort) => SendAsync([.. Enumerable.Range(0, count).Select(i => Offset(_groups[pace.Draw(_groups.Count)], i))], _ => { }, abort);

    private CommitOffset Offset(string group, int index) =>
        new(group, _topics[pace.Draw(_topics.Count)].Name, 0, _number, string.Create(CultureInfo.InvariantCulture, $"{id}:{_number}:{index}"));

    private Dictionary<string, T> Marked<T>()
        where T : class? => new(StringComparer.Ordinal) { [CommandMarks.Setting] = (T)(object)string.Create(CultureInfo.InvariantCulture, $"{id}:{_number}") };

    private async Task SendAsync(IReadOnlyList<MetadataCommand> commands, Action<MetadataCommandsResponse> acknowledged, CancellationToken abort)
    {
        var sent = DateTimeOffset.UtcNow;
        MetadataCommandsResponse? answer = null;
        try
        {
            answer = await sender.PostAsync<MetadataCommandsResponse>(
                "metadata/commands", new MetadataCommandsRequest(commands), string.Join(", ", commands.Select(CommandMarks.Of)), abort);
        }
        finally
        {
            record(answer is null ? new RecordedCommands(commands, Written.Perhaps) : new RecordedCommands(commands, Written.Surely, answer.FirstLsn));
        }

        if (answer is null)
        {
            // Nobody knows what has become of them, so nothing is asked of them again. The error has been recorded.
            Forget(commands);
            return;
        }

        if (answer.LastLsn != answer.FirstLsn + commands.Count - 1)
        {
            counts.AddError($"{id}: {commands.Count} commands were acknowledged as LSN {answer.FirstLsn} to {answer.LastLsn}");
        }

        acknowledged(answer);
        acknowledgements.Add(new Acknowledgement(MetadataChannel.Name, id, answer.Term, sent, DateTimeOffset.UtcNow));
    }

    private void Forget(IReadOnlyList<MetadataCommand> commands)
    {
        foreach (var command in commands)
        {
            switch (command)
            {
                case CreateTopic c:
                    _deleted.RemoveAll(d => d.Name == c.Name);
                    break;
                case DeleteTopic c:
                    _topics.RemoveAll(t => t.Name == c.Name);
                    break;
                case DeleteConsumerGroup c:
                    _groups.Remove(c.GroupId);
                    break;
            }
        }
    }
}
