using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Baton.DevHost.Tests;

/// <summary>
/// What these tests start lives for seconds, and a fifth of what a start costs was code compiled again after two hundred calls. The tests' own process lives for minutes and keeps what
/// <c>tests/.runsettings</c> says: its runtime has read that already.
/// </summary>
internal static class ShortLivedProcesses
{
    private const string CallsInHexadecimal = "2000";

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255:The 'ModuleInitializer' attribute should not be used in libraries", Justification = "Nothing but the tests' runner loads this one, and no fixture comes before all others.")]
    internal static void CompileLess() => Environment.SetEnvironmentVariable("DOTNET_TC_CallCountThreshold", CallsInHexadecimal);
}
