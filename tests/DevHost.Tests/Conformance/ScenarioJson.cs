using System.Text.Json;
using System.Text.Json.Serialization;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>How a scenario is told to the peer: what is absent stays absent.</summary>
internal static class ScenarioJson
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault };
}
