namespace Baton.DevHost.Orchestrations;

/// <summary>What an instance id may look like: it is a partition key and part of a path.</summary>
internal static class InstanceIds
{
    public const int MaxLength = 256;

    /// <summary>What is wrong with <paramref name="id"/>; null for nothing.</summary>
    public static string? Check(string id) => id switch
    {
        "" => "An instance id is missing.",
        { Length: > MaxLength } => $"An instance id has {id.Length} characters; {MaxLength} are allowed.",
        ['@', ..] => "An instance id must not begin with '@'.",
        _ when id.Any(c => c is '/' or '\\' or '#' or '?' || char.IsControl(c) || char.IsSurrogate(c)) => "An instance id must not contain / \\ # ? or control characters.",
        _ => null,
    };
}
