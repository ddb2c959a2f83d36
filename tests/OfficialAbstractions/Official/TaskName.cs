namespace Baton.Durable;

public readonly struct TaskName : IEquatable<TaskName>
{
    public TaskName(string name) => throw null!;

    public TaskName(string name, string version) => throw null!;

    public string Name => throw null!;

    public string Version => throw null!;

    public static implicit operator string(TaskName value) => throw null!;

    public static implicit operator TaskName(string value) => throw null!;

    public static bool operator ==(TaskName a, TaskName b) => throw null!;

    public static bool operator !=(TaskName a, TaskName b) => throw null!;

    public bool Equals(TaskName other) => throw null!;

    public override bool Equals(object? obj) => throw null!;

    public override int GetHashCode() => throw null!;

    public override string ToString() => throw null!;
}

public readonly struct TaskVersion : IEquatable<TaskVersion>
{
    public static readonly TaskVersion Unversioned;

    public TaskVersion(string? version) => throw null!;

    public string Version => throw null!;

    public static implicit operator string(TaskVersion value) => throw null!;

    public static implicit operator TaskVersion(string? value) => throw null!;

    public static bool operator ==(TaskVersion a, TaskVersion b) => throw null!;

    public static bool operator !=(TaskVersion a, TaskVersion b) => throw null!;

    public bool Equals(TaskVersion other) => throw null!;

    public override bool Equals(object? obj) => throw null!;

    public override int GetHashCode() => throw null!;
}
