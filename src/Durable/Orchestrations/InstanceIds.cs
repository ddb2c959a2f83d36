namespace Baton.Durable;

/// <summary>Which texts can be an instance's id: the rule of the Durable extension.</summary>
internal static class InstanceIds
{
    /// <summary><paramref name="instanceId"/>, checked.</summary>
    /// <exception cref="ArgumentException">It is blank, begins as an entity's, or holds a character that no id may.</exception>
    public static string Check(string instanceId)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(instanceId);
        return instanceId[0] != '@' && !instanceId.Any(static c => c is '/' or '\\' or '#' or '?' || char.IsControl(c))
            ? instanceId
            : throw new ArgumentException(
                $"'{instanceId}' is no instance id: it may not begin with '@' nor hold '/', '\\', '#', '?' or control characters.",
                nameof(instanceId));
    }
}
