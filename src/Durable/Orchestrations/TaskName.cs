namespace Baton.Durable;

/// <summary>The name of an activity or orchestration. The host compares names without regard to case.</summary>
/// <param name="Name">The name of its function.</param>
public readonly record struct TaskName(string Name)
{
    /// <summary>A name from its text.</summary>
    public static implicit operator TaskName(string name) => FromString(name);

    /// <summary>A name from its text.</summary>
    /// <exception cref="ArgumentException">The text is null or blank.</exception>
    public static TaskName FromString(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return new TaskName(name);
    }

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
