using System.Globalization;
using System.Text.Json;
using Azure;

namespace Baton.Storage.Tables;

/// <summary>Entities as the OData JSON of the Table service, types that JSON lacks annotated beside the value.</summary>
internal static class EntityJson
{
    private const string Annotation = "@odata.type";

    /// <summary>The body that stores <paramref name="entity"/>.</summary>
    public static byte[] Write(TableEntity entity)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            foreach (var (name, value) in entity)
            {
                // The service keeps these itself.
                if (name is not (TableEntity.ETagName or "Timestamp") && !name.StartsWith("odata.", StringComparison.Ordinal))
                {
                    WriteProperty(json, name, value);
                }
            }

            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>Reads one entity.</summary>
    public static T Read<T>(JsonElement element, string? etagHeader = null)
        where T : TableEntity, new()
    {
        var entity = new T();
        foreach (var property in element.EnumerateObject())
        {
            if (property.Name.EndsWith(Annotation, StringComparison.Ordinal))
            {
                continue;
            }

            if (property.Name.StartsWith("odata.", StringComparison.Ordinal))
            {
                if (property.NameEquals(TableEntity.ETagName))
                {
                    entity.ETag = new ETag(property.Value.GetString()!);
                }

                continue;
            }

            var type = element.TryGetProperty(property.Name + Annotation, out var annotation) ? annotation.GetString() : null;
            entity[property.Name] = ReadValue(property, type)!;
        }

        if (entity.ETag == default && etagHeader is not null)
        {
            entity.ETag = new ETag(etagHeader);
        }

        return entity;
    }

    private static void WriteProperty(Utf8JsonWriter json, string name, object value)
    {
        switch (value)
        {
            case string text:
                json.WriteString(name, text);
                break;
            case int number:
                json.WriteNumber(name, number);
                break;
            case bool truth:
                json.WriteBoolean(name, truth);
                break;
            case long number:
                Annotated(json, name, "Edm.Int64", number.ToString(CultureInfo.InvariantCulture));
                break;
            case double number when double.IsFinite(number):
                json.WriteString(name + Annotation, "Edm.Double");
                json.WriteNumber(name, number);
                break;
            case double number:
                Annotated(json, name, "Edm.Double", double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
                break;
            case byte[] bytes:
                Annotated(json, name, "Edm.Binary", Convert.ToBase64String(bytes));
                break;
            case Guid guid:
                Annotated(json, name, "Edm.Guid", guid.ToString("D"));
                break;
            case DateTimeOffset instant:
                Annotated(json, name, "Edm.DateTime", Instant(instant));
                break;
            case DateTime instant:
                Annotated(json, name, "Edm.DateTime", Instant(new DateTimeOffset(instant.ToUniversalTime())));
                break;
            default:
                throw new NotSupportedException($"Property '{name}': the Table service has no type for {value.GetType().Name}.");
        }
    }

    /// <summary>An instant in the service's form: UTC, 100 ns.</summary>
    public static string Instant(DateTimeOffset instant) => instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", CultureInfo.InvariantCulture);

    private static void Annotated(Utf8JsonWriter json, string name, string type, string value)
    {
        json.WriteString(name + Annotation, type);
        json.WriteString(name, value);
    }

    private static object? ReadValue(JsonProperty property, string? type)
    {
        var value = property.Value;
        if (value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return type switch
        {
            "Edm.Int64" => value.ValueKind == JsonValueKind.String ? long.Parse(value.GetString()!, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) : value.GetInt64(),
            "Edm.Double" => value.ValueKind == JsonValueKind.String ? Named(value.GetString()!) : value.GetDouble(),
            "Edm.Binary" => value.GetBytesFromBase64(),
            "Edm.Guid" => value.GetGuid(),
            "Edm.DateTime" => value.GetDateTimeOffset(),
            // Timestamp comes without annotation, whatever was asked for.
            null when property.NameEquals("Timestamp") => value.GetDateTimeOffset(),
            _ => Plain(property),
        };
    }

    private static object Plain(JsonProperty property) => property.Value.ValueKind switch
    {
        JsonValueKind.String => property.Value.GetString()!,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number when property.Value.TryGetInt32(out var number) => number,
        JsonValueKind.Number => property.Value.GetDouble(),
        var kind => throw new JsonException($"Property '{property.Name}' is a JSON {kind}, which no entity holds."),
    };

    private static double Named(string text) => text switch
    {
        "NaN" => double.NaN,
        "Infinity" or "INF" => double.PositiveInfinity,
        "-Infinity" or "-INF" => double.NegativeInfinity,
        _ => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture),
    };
}
