using System.Text.Json.Nodes;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.Orchestrations;

namespace Baton.DevHost.FunctionsHost.Invocations;

/// <summary>The input bindings beside the trigger: the Durable client.</summary>
/// <param name="hubName">The task hub.</param>
/// <param name="baseAddress">Where this host listens.</param>
/// <param name="systemKey">Opens the management API.</param>
internal sealed class FunctionInputs(string hubName, Func<Uri> baseAddress, string systemKey)
{
    /// <summary>The values of <paramref name="function"/>'s inputs, encoded, by binding name.</summary>
    public JsonObject Values(FunctionDefinition function)
    {
        var values = new JsonObject();
        foreach (var client in function.DurableClients)
        {
            // The extension binds a string of JSON, so the rule quotes it once more.
            values[client] = Envelope.Value(Client().ToJsonString(Envelope.Json));
        }

        return values;
    }

    private JsonObject Client() => new()
    {
        ["taskHubName"] = hubName,
        ["connectionName"] = null,
        ["creationUrls"] = null,
        ["managementUrls"] = null,
        ["baseUrl"] = null,
        ["requiredQueryStringParameters"] = $"code={Uri.EscapeDataString(systemKey)}",

        // This host plays the HTTP API only.
        ["rpcBaseUrl"] = null,
        ["httpBaseUrl"] = new Uri(baseAddress(), ManagementApi.BasePath).ToString(),
        ["maxGrpcMessageSizeInBytes"] = 4_194_304,
    };
}
