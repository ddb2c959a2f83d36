namespace Baton.Functions.Hosting;

/// <summary>Makes a public method a function. Its class comes from the service provider, once an invocation; the method may be static.</summary>
/// <param name="name">The function's name, unique in the app ignoring case. The host, the engine and operators know it by this name.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FunctionAttribute(string name) : Attribute
{
    /// <summary>The function's name.</summary>
    public string Name { get; } = name;
}
