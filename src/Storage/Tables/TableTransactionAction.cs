using Azure;

namespace Baton.Storage.Tables;

/// <summary>What an action of a transaction does.</summary>
public enum TableTransactionActionType
{
    /// <summary>Inserts; an entity that is there refuses the transaction.</summary>
    Add,

    /// <summary>Changes an entity, keeping what is not named.</summary>
    UpdateMerge,

    /// <summary>Changes an entity, dropping what is not named.</summary>
    UpdateReplace,

    /// <summary>Deletes an entity, which must be there.</summary>
    Delete,

    /// <summary>Inserts or merges.</summary>
    UpsertMerge,

    /// <summary>Inserts or replaces.</summary>
    UpsertReplace,
}

/// <summary>One action of a transaction.</summary>
/// <param name="actionType">What it does.</param>
/// <param name="entity">To which entity.</param>
/// <param name="etag">For updates and deletes: the version that must be there; any when left out.</param>
public sealed class TableTransactionAction(TableTransactionActionType actionType, TableEntity entity, ETag etag = default)
{
    /// <summary>What it does.</summary>
    public TableTransactionActionType ActionType { get; } = actionType;

    /// <summary>To which entity.</summary>
    public TableEntity Entity { get; } = entity ?? throw new ArgumentNullException(nameof(entity));

    /// <summary>The version that must be there; any by default.</summary>
    public ETag ETag { get; } = etag;
}

/// <summary>A transaction was refused whole.</summary>
public sealed class TableTransactionFailedException : RequestFailedException
{
    internal TableTransactionFailedException(Response response, int? failedIndex)
        : base(response, innerException: null, TableErrorParser.Instance) => FailedTransactionActionIndex = failedIndex;

    /// <summary>Which action was refused, counted from 0, where the service says so.</summary>
    public int? FailedTransactionActionIndex { get; }
}
