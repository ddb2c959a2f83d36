using System.Text.Json;

namespace Baton.Durable;

/// <summary>The management API's body of an instance's status.</summary>
internal sealed record InstanceStatus(
    string? Name,
    string InstanceId,
    OrchestrationRuntimeStatus RuntimeStatus,
    DateTimeOffset CreatedTime,
    DateTimeOffset LastUpdatedTime,
    JsonElement Input,
    JsonElement Output,
    JsonElement CustomStatus)
{
    public OrchestrationMetadata ToMetadata(bool withInputsAndOutputs)
    {
        var metadata = new OrchestrationMetadata(Name ?? string.Empty, InstanceId, RuntimeStatus, CreatedTime, LastUpdatedTime);
        return !withInputsAndOutputs ? metadata : metadata with
        {
            SerializedInput = Text(Input),
            SerializedOutput = Text(Output),
            SerializedCustomStatus = Text(CustomStatus),
        };
    }

    private static string? Text(JsonElement json) => json.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? null : json.GetRawText();
}
