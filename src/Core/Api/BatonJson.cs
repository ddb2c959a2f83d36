using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Baton.Core.Api;

/// <summary>The one JSON form of Baton: camelCase, nulls left out, enums as camelCase text.</summary>
public static class BatonJson
{
    /// <summary>Options for every body, table value and log payload.</summary>
    public static JsonSerializerOptions Options { get; } = Create();

    /// <summary>
    /// As <see cref="Options"/>, for what comes from outside: a property that is there twice is refused, since readers differ in which one counts. The member that says which of several forms an object has may
    /// stand anywhere in it: JSON has no order.
    /// </summary>
    public static JsonSerializerOptions RequestOptions { get; } = new(Options) { AllowDuplicateProperties = false, AllowOutOfOrderMetadataProperties = true };

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            NumberHandling = JsonNumberHandling.Strict,
            MaxDepth = 32,

            // The bodies are JSON, never part of a page: quotes in a detail stay readable.
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            RespectNullableAnnotations = true,
        };
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
