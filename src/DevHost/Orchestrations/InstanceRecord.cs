using System.Text;
using Azure;
using Baton.Storage.Tables;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>Who waits for an instance: the task of an execution.</summary>
internal sealed record ParentLink(string InstanceId, string Name, string ExecutionId, int TaskId);

/// <summary>The one row that says what counts of an instance. Every change of an instance is one conditional write of it.</summary>
internal sealed record InstanceRecord
{
    /// <summary>Its row key. The keys of <see cref="HubRows"/> stand around it.</summary>
    public const string RowKey = "i";

    /// <summary>What <see cref="Consumed"/> may hold, separators included: one property, which takes 64 KiB even if nothing of it compresses.</summary>
    public const int MaxConsumedChars = 48 * 1024;

    public required string Id { get; init; }

    public required string Name { get; init; }

    /// <summary>The version it was started with.</summary>
    public string? Version { get; init; }

    /// <summary>A new one for each start and each generation of continue-as-new.</summary>
    public required string ExecutionId { get; init; }

    public required OrchestrationStatus Status { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public ParentLink? Parent { get; init; }

    public StoredBytes? Input { get; init; }

    public StoredBytes? Output { get; init; }

    public StoredBytes? CustomStatus { get; init; }

    /// <summary>A TaskFailureDetails, for the parent.</summary>
    public StoredBytes? Failure { get; init; }

    /// <summary>How many pages of history count. A page beyond belongs to a turn that was never committed.</summary>
    public int Pages { get; init; }

    /// <summary>The history after the last page.</summary>
    public byte[] Tail { get; init; } = [];

    /// <summary>Events that this execution got from the one before.</summary>
    public StoredBytes? Carried { get; init; }

    /// <summary>Row keys of messages that history has, though their rows may still be there.</summary>
    public IReadOnlyList<string> Consumed { get; init; } = [];

    /// <summary>Messages that the last turn sent and that may not have arrived.</summary>
    public StoredBytes? Outgoing { get; init; }

    /// <summary>The execution that sent <see cref="Outgoing"/>.</summary>
    public string? OutgoingExecutionId { get; init; }

    /// <summary>Rows that list activities of ended executions which have yet to run: see <see cref="DetachedActivities"/>.</summary>
    public IReadOnlyList<string> Detached { get; init; } = [];

    /// <summary>Why the row cannot be read; null for a sound one. A damaged one shows as failed.</summary>
    public string? Damage { get; init; }

    /// <summary>The engine that wrote the row last, or took the instance up: see <see cref="HubStore.TakeUpAsync"/>.</summary>
    public string? Owner { get; init; }
    public ETag ETag { get; init; }

    public bool IsFinished => Status is OrchestrationStatus.Completed or OrchestrationStatus.Failed or OrchestrationStatus.Terminated or OrchestrationStatus.Canceled;

    /// <summary>Whether its own work is done, messages sent included. Activities that it left running are not.</summary>
    public bool IsSettled => IsFinished && Outgoing is null;

    /// <summary>Whether an engine has something to do for it.</summary>
    public bool IsOpen => !IsSettled || Detached.Count > 0;

    public bool HasHistory => Pages > 0 || Tail.Length > 0;

    /// <summary>The rows that hold values of this record.</summary>
    public IEnumerable<string> ValueRows =>
        new[] { Input, Output, CustomStatus, Failure, Carried, Outgoing }.SelectMany(v => v?.Rows ?? []).Concat(Detached);

    public int ConsumedChars => Consumed.Sum(key => key.Length + 1);

    public TableEntity ToEntity()
    {
        var entity = new TableEntity(Id, RowKey)
        {
            ["Name"] = Name,
            ["Version"] = Version!,
            ["ExecutionId"] = ExecutionId,
            ["Status"] = Status.ToString(),
            ["Open"] = IsOpen,
            ["CreatedAt"] = CreatedAt,
            ["UpdatedAt"] = UpdatedAt,
            ["Pages"] = Pages,
            ["Tail"] = Tail,
            ["Consumed"] = Consumed.Count == 0 ? null! : StoredBytes.Encode(string.Join(' ', Consumed), "The list of consumed messages"),
            ["OutgoingExecutionId"] = OutgoingExecutionId!,
            ["Detached"] = Detached.Count == 0 ? null! : string.Join(' ', Detached),
            ["Owner"] = Owner!,
        };
        if (Parent is not null)
        {
            entity["ParentInstanceId"] = Parent.InstanceId;
            entity["ParentName"] = Parent.Name;
            entity["ParentExecutionId"] = Parent.ExecutionId;
            entity["ParentTaskId"] = Parent.TaskId;
        }

        Set(entity, nameof(Input), Input);
        Set(entity, nameof(Output), Output);
        Set(entity, nameof(CustomStatus), CustomStatus);
        Set(entity, nameof(Failure), Failure);
        Set(entity, nameof(Carried), Carried);
        Set(entity, nameof(Outgoing), Outgoing);
        return entity;
    }

    /// <summary>Reads a row. One that makes no sense gives a failed instance that says so: it must not hide the others.</summary>
    public static InstanceRecord From(TableEntity entity)
    {
        try
        {
            return Read(entity);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return new InstanceRecord
            {
                Id = entity.PartitionKey,
                Name = Text(entity, "Name") ?? "",
                ExecutionId = Text(entity, "ExecutionId") ?? Guid.NewGuid().ToString("N"),
                Status = OrchestrationStatus.Failed,
                CreatedAt = entity.TryGetValue("CreatedAt", out var at) && at is DateTimeOffset created ? created : DateTimeOffset.UnixEpoch,
                UpdatedAt = DateTimeOffset.UnixEpoch,
                Parent = Text(entity, "ParentInstanceId") is { } parent && Text(entity, "ParentExecutionId") is { } execution && entity.TryGetValue("ParentTaskId", out var task) && task is int taskId
                    ? new ParentLink(parent, Text(entity, "ParentName") ?? "", execution, taskId)
                    : null,
                Damage = $"The instance row cannot be read: {e.Message}",
                ETag = entity.ETag,
            };
        }
    }

    private static InstanceRecord Read(TableEntity entity) => new()
    {
        Id = entity.PartitionKey,
        Name = entity.GetString("Name")!,
        Version = entity.GetString("Version"),
        ExecutionId = entity.GetString("ExecutionId") ?? throw new InvalidDataException("It has no execution id."),
        Status = Enum.Parse<OrchestrationStatus>(entity.GetString("Status")!),
        CreatedAt = entity.GetDateTimeOffset("CreatedAt")!.Value,
        UpdatedAt = entity.GetDateTimeOffset("UpdatedAt")!.Value,
        Parent = entity.GetString("ParentInstanceId") is { } parent
            ? new ParentLink(parent, entity.GetString("ParentName")!, entity.GetString("ParentExecutionId")!, entity.GetInt32("ParentTaskId")!.Value)
            : null,
        Pages = entity.GetInt32("Pages") ?? 0,
        Tail = entity.GetBinary("Tail") ?? [],
        Consumed = entity.GetBinary("Consumed") is { } consumed ? Encoding.UTF8.GetString(StoredBytes.Decode(consumed)).Split(' ') : [],
        OutgoingExecutionId = entity.GetString("OutgoingExecutionId"),
        Detached = entity.GetString("Detached") is { } detached ? detached.Split(' ') : [],
        Owner = entity.GetString("Owner"),
        Input = Get(entity, nameof(Input)),
        Output = Get(entity, nameof(Output)),
        CustomStatus = Get(entity, nameof(CustomStatus)),
        Failure = Get(entity, nameof(Failure)),
        Carried = Get(entity, nameof(Carried)),
        Outgoing = Get(entity, nameof(Outgoing)),
        ETag = entity.ETag,
    };

    private static string? Text(TableEntity entity, string name) => entity.TryGetValue(name, out var value) ? value as string : null;

    private static void Set(TableEntity entity, string name, StoredBytes? value)
    {
        entity[name] = value?.Inline!;
        entity[name + "Row"] = value?.Row!;
    }

    private static StoredBytes? Get(TableEntity entity, string name) =>
        (entity.GetBinary(name), entity.GetString(name + "Row")) is var (inline, row) && (inline is not null || row is not null) ? new StoredBytes(inline, row) : null;
}
