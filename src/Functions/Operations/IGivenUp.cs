namespace Baton.Functions.Operations;

/// <summary>
/// Takes back what operations of one kind leave half done where they are given up (<see cref="OperationSweep"/>). It comes before the operation's end: one that cannot be carried out is tried
/// again at the next sweep, and until then the operation runs.
/// </summary>
internal interface IGivenUp
{
    /// <summary>The kind of operation.</summary>
    public string Kind { get; }

    /// <summary>Takes it back; done again, it changes nothing.</summary>
    /// <returns>How things stand now, as a sentence for operators; null where there is nothing to say.</returns>
    public Task<string?> TakeBackAsync(string operationId, CancellationToken cancellationToken);
}
