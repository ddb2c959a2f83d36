namespace Baton.Durable;

/// <summary>The version of an activity or orchestration; empty text means none. Compared without regard to case.</summary>
public readonly struct TaskVersion : IEquatable<TaskVersion>
{
    /// <summary>No version: asks for the unversioned task even where the caller has a version.</summary>
    public static readonly TaskVersion Unversioned;

    private readonly string? _version;

    /// <summary>A version.</summary>
    /// <param name="version">Its text; null or empty for none.</param>
    /// <exception cref="ArgumentException">The text is only blanks.</exception>
    public TaskVersion(string? version)
    {
        if (version?.Length > 0)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(version);
        }

        _version = version;
    }

    /// <summary>The text; empty, never null, for no version.</summary>
    public string Version => _version ?? string.Empty;

#pragma warning disable CA2225 // The property and the constructor are the named alternatives.
    /// <summary>The version's text.</summary>
    public static implicit operator string(TaskVersion value) => value.Version;

    /// <summary>A version from its text.</summary>
    public static implicit operator TaskVersion(string? value) => new(value);
#pragma warning restore CA2225

    /// <summary>Whether the versions are the same.</summary>
    public static bool operator ==(TaskVersion a, TaskVersion b) => a.Equals(b);

    /// <summary>Whether the versions differ.</summary>
    public static bool operator !=(TaskVersion a, TaskVersion b) => !a.Equals(b);

    /// <inheritdoc/>
    public bool Equals(TaskVersion other) => string.Equals(Version, other.Version, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TaskVersion other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.OrdinalIgnoreCase.GetHashCode(Version);

    /// <summary>The text.</summary>
    public override string ToString() => Version;

    /// <summary>
    /// Which of two versions is the later: none is before any; two that read as numbers (<c>1.10</c>) are compared as such, all
    /// others as text.
    /// </summary>
    /// <returns>Below zero, zero or above, as <paramref name="version"/> is before, equal to or after <paramref name="other"/>.</returns>
    internal static int Compare(string? version, string? other)
    {
        bool isNone = string.IsNullOrWhiteSpace(version);
        if (isNone || string.IsNullOrWhiteSpace(other))
        {
            return string.IsNullOrWhiteSpace(other).CompareTo(isNone);
        }

        return System.Version.TryParse(version, out Version? number) && System.Version.TryParse(other, out Version? otherNumber)
            ? number.CompareTo(otherNumber)
            : string.Compare(version, other, StringComparison.OrdinalIgnoreCase);
    }
}
