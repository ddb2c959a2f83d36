using System.Text.Json;

namespace Baton.DevHost.FunctionsHost.Apps;

/// <summary>The app's JSON files are read as the real host reads them: names in any case, comments and trailing commas allowed.</summary>
internal static class AppJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    public static T Read<T>(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllText(path), Options) ?? throw new InvalidFunctionAppException($"{path} holds null.");
        }
        catch (JsonException e)
        {
            throw new InvalidFunctionAppException($"{path} is not valid: {e.Message}", e);
        }
    }
}
