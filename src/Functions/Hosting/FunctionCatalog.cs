using System.Reflection;

namespace Baton.Functions.Hosting;

/// <summary>Every function of the app, by name. What the build writes for the host and what the app serves come from this one list.</summary>
internal sealed class FunctionCatalog
{
    /// <summary>The first segment of every HTTP function's path; <c>host.json</c> says the same.</summary>
    public const string RoutePrefix = "api";

    private FunctionCatalog(IReadOnlyList<FunctionDefinition> functions) => Functions = functions;

    /// <summary>The functions, ordered by name.</summary>
    public IReadOnlyList<FunctionDefinition> Functions { get; }

    /// <summary>The functions that <paramref name="assembly"/> declares.</summary>
    /// <exception cref="InvalidDeclarationException">Some are declared wrongly; all problems are listed.</exception>
    public static FunctionCatalog Scan(Assembly assembly) => Scan(assembly.GetTypes());

    /// <summary>The functions that <paramref name="types"/> declare.</summary>
    /// <exception cref="InvalidDeclarationException">Some are declared wrongly; all problems are listed.</exception>
    public static FunctionCatalog Scan(IEnumerable<Type> types)
    {
        const BindingFlags declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        var problems = new List<string>();
        var functions = types
            .SelectMany(type => type.GetMethods(declared))
            .Where(method => method.IsDefined(typeof(FunctionAttribute)))
            .Select(method => FunctionDeclaration.Read(method, problems))
            .OfType<FunctionDefinition>()
            .OrderBy(function => function.Name, StringComparer.Ordinal)
            .ToList();

        RefuseSharedNames(functions, problems);
        RefuseSharedRoutes(functions, problems);
        return problems.Count == 0 ? new FunctionCatalog(functions) : throw new InvalidDeclarationException(problems);
    }

    // Names are folders of function.json files and paths of the handler: both may ignore case.
    private static void RefuseSharedNames(List<FunctionDefinition> functions, List<string> problems) =>
        problems.AddRange(functions
            .GroupBy(function => function.Name, StringComparer.OrdinalIgnoreCase)
            .Where(same => same.Count() > 1)
            .Select(same => $"{string.Join(" and ", same.Select(FunctionDeclaration.Place))} are both named {same.Key}."));

    // Which of two functions on one route and verb is called would be the host's choice.
    private static void RefuseSharedRoutes(List<FunctionDefinition> functions, List<string> problems) =>
        problems.AddRange(functions
            .Where(function => function.Trigger is HttpTriggerAttribute)
            .SelectMany(function => ((HttpTriggerAttribute)function.Trigger).Methods.Select(verb => (Function: function, Verb: verb)))
            .GroupBy(x => $"{x.Verb} {HttpRoute.Shape(((HttpTriggerAttribute)x.Function.Trigger).Route)}", StringComparer.OrdinalIgnoreCase)
            .Where(same => same.Count() > 1)
            .Select(same => $"{string.Join(" and ", same.Select(x => FunctionDeclaration.Place(x.Function)))} answer the same requests: {same.Key}."));
}
