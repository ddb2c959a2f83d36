using System.Reflection;
using Baton.Core.Recovery;

namespace Baton.Core.Tests.Recovery;

/// <summary>The page that operators read names what the code writes.</summary>
public sealed class RecoveryPageTests
{
    public static TheoryData<string> Names =>
        [.. Constants(typeof(RecoveryEvents)).Except([RecoveryEvents.GapExceedsRetention]), .. Constants(typeof(Refusals)), .. Enum.GetValues<BudgetViolation>().Skip(1).Select(v => RecoveryEvents.Text(v))];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_event_and_every_refusal_is_on_the_page(string name)
    {
        using var page = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream("recovery.md")!);

        Assert.Matches($"`{name}`", page.ReadToEnd());
    }

    private static IEnumerable<string> Constants(Type type) => type.GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f.IsLiteral).Select(f => (string)f.GetRawConstantValue()!);
}
