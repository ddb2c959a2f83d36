using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Durable;

/// <summary>Inputs, outputs and payloads as JSON text; null is the absence of any.</summary>
internal static class DurableJson
{
    public static string? Write(object? value) => value is null ? null : JsonSerializer.Serialize(value, value.GetType(), BatonJson.Options);

    public static T? Read<T>(string? json) => string.IsNullOrEmpty(json) ? default : JsonSerializer.Deserialize<T>(json, BatonJson.Options);
}
