extern alias official;

using System.Reflection;
using System.Runtime.CompilerServices;

namespace Baton.Durable.Tests.Orchestrations;

/// <summary>
/// The API that orchestrators are written against is the official one: whatever is declared in <c>tests/OfficialAbstractions/Official</c>
/// is here too, under the same names, in the same order, with the same types and defaults. Here may be more.
/// </summary>
public sealed class OfficialApiTests
{
    private static readonly Assembly Ours = typeof(TaskOrchestrationContext).Assembly;

    // What the compiler adds to records for itself.
    private static readonly HashSet<string> OfRecords = new(StringComparer.Ordinal) { "<Clone>$", "PrintMembers", "get_EqualityContract" };

    public static TheoryData<string> OfficialTypes => [.. typeof(official::Baton.Durable.TaskOrchestrationContext).Assembly.GetTypes()
        .Where(type => type is { IsPublic: true, Namespace: "Baton.Durable" })
        .Select(type => type.FullName!)
        .Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(OfficialTypes))]
    public void Can_stand_in_for_the_official_type(string fullName)
    {
        Type theirs = typeof(official::Baton.Durable.TaskOrchestrationContext).Assembly.GetType(fullName, throwOnError: true)!;
        Type ours = Ours.GetType(fullName, throwOnError: true)!;
        Assert.Equal(Kind(theirs), Kind(ours));
        Assert.True(theirs.IsSealed || !ours.IsSealed, "Ours is sealed, theirs is not.");
        Assert.NotEmpty(Members(theirs));
        Assert.Empty(Members(theirs).Except(Members(ours), StringComparer.Ordinal));
    }

    [Fact]
    public void Nothing_of_the_official_api_is_left_out_of_the_comparison()
        => Assert.Equal(14, OfficialTypes.Count);

    private static string Kind(Type type) => $"{(type.IsValueType ? "struct" : "class")} : {type.BaseType?.FullName}";

    private static IEnumerable<string> Members(Type type)
    {
        const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        IEnumerable<string> methods = type.GetMethods(All).Where(IsOfApi).Select(method => $"{Return(method)} {method.Name}{Generics(method)}{Parameters(method)}");
        IEnumerable<string> constructors = type.GetConstructors(All).Where(IsOfApi).Select(constructor => $"new{Parameters(constructor)}");
        IEnumerable<string> fields = type.GetFields(All).Where(field => field.IsPublic).Select(field => $"{field.FieldType} {field.Name}");
        return [.. methods, .. constructors, .. fields];
    }

    private static bool IsOfApi(MethodBase member)
        => (member.IsPublic || member.IsFamily) && !OfRecords.Contains(member.Name);

    private static string Return(MethodInfo method)
        => (method.IsStatic ? "static " : string.Empty)
            + (method.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init " : string.Empty)
            + method.ReturnType;

    private static string Generics(MethodInfo method)
        => method.IsGenericMethod
            ? $"<{string.Join(", ", method.GetGenericArguments().Select(argument => $"{argument} : {string.Join('&', argument.GetGenericParameterConstraints().Select(c => c.ToString()))}"))}>"
            : string.Empty;

    private static string Parameters(MethodBase member)
        => $"({string.Join(", ", member.GetParameters().Select(parameter => $"{parameter.ParameterType} {parameter.Name}{(parameter.IsOptional ? $" = {parameter.RawDefaultValue ?? "default"}" : null)}"))})";
}
