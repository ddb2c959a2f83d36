namespace Baton.Functions.Hosting;

/// <summary>Functions are declared in a way that the host would refuse or misread. Thrown by the build, long before a deployment.</summary>
internal sealed class InvalidDeclarationException(IReadOnlyList<string> problems)
    : Exception($"The declarations of the functions are wrong:{string.Concat(problems.Select(p => $"{Environment.NewLine}  {p}"))}")
{
    /// <summary>Every problem found, one sentence each, beginning with class and method.</summary>
    public IReadOnlyList<string> Problems { get; } = problems;
}
