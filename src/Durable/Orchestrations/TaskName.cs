namespace Baton.Durable;

/// <summary>The name of an activity or orchestration. Names are compared without regard to case, as the host does.</summary>
public readonly struct TaskName : IEquatable<TaskName>
{
    /// <summary>A name without a version.</summary>
    /// <param name="name">The name of its function; null gives the default value.</param>
    public TaskName(string name)
        : this(name, name is null ? null! : string.Empty)
    {
    }

    /// <summary>A name with a version. Neither the host nor this worker looks at it: see <see cref="TaskOptions.Version"/>.</summary>
    /// <param name="name">The name of its function.</param>
    /// <param name="version">The version.</param>
    public TaskName(string name, string version)
    {
        Name = name;
        Version = version;
    }

    /// <summary>The name of its function.</summary>
    public string Name { get; }

    /// <summary>The version; empty when there is none.</summary>
    public string Version { get; }

    /// <summary>The name's text.</summary>
#pragma warning disable CA2225 // ToString and the constructor are the named alternatives; a third name for each helps nobody.
    public static implicit operator string(TaskName value) => value.Name;

    /// <summary>A name from its text; null or empty text gives the default value.</summary>
    public static implicit operator TaskName(string value) => string.IsNullOrEmpty(value) ? default : new TaskName(value);
#pragma warning restore CA2225

    /// <summary>Whether the names are the same.</summary>
    public static bool operator ==(TaskName a, TaskName b) => a.Equals(b);

    /// <summary>Whether the names differ.</summary>
    public static bool operator !=(TaskName a, TaskName b) => !a.Equals(b);

    /// <inheritdoc/>
    public bool Equals(TaskName other) => string.Equals(Name, other.Name, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TaskName other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Name is null ? 0 : StringComparer.OrdinalIgnoreCase.GetHashCode(Name);

    /// <summary>The name, with the version behind a colon where there is one.</summary>
    public override string ToString() => string.IsNullOrEmpty(Version) ? Name : $"{Name}:{Version}";
}
