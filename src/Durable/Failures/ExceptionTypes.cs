using System.Buffers;

namespace Baton.Durable;

/// <summary>Finds exception types by the names that failures carry.</summary>
internal static class ExceptionTypes
{
    // A comma would begin an assembly's name, and the others a generic argument: no exception of a failure has any.
    private static readonly SearchValues<char> NotInPlainNames = SearchValues.Create(",[]*&\\");

    /// <summary>
    /// The loaded types of this full name: none, one, or one of each assembly that has it. No assembly is loaded for it, whatever the
    /// name says.
    /// </summary>
    public static IEnumerable<Type> Named(string fullName)
    {
        if (string.IsNullOrEmpty(fullName) || fullName.AsSpan().ContainsAny(NotInPlainNames))
        {
            return [];
        }

        return AppDomain.CurrentDomain.GetAssemblies()
            .Where(static assembly => !assembly.IsDynamic)
            .Select(assembly => assembly.GetType(fullName, throwOnError: false))
            .OfType<Type>()
            .Where(typeof(Exception).IsAssignableFrom);
    }
}
