using System.Text.Encodings.Web;
using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Functions.Hosting;

/// <summary>What an envelope is answered with. Never empty: the host would wait for ever.</summary>
/// <param name="Outputs">Values of the output bindings. Texts on their own must not be valid base64: the host would decode them.</param>
/// <param name="ReturnValue">For the durable engine.</param>
internal sealed record InvocationAnswer(IReadOnlyDictionary<string, object> Outputs, object? ReturnValue = null)
{
    // The engine's base64 grows by a half under the escaping that HTML would need.
    private static readonly JsonSerializerOptions Options = new(BatonJson.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, PropertyNamingPolicy = null };

    private static readonly Dictionary<string, object> Nothing = new(StringComparer.Ordinal);

    /// <summary>The answer of a function with no output.</summary>
    public static InvocationAnswer Done { get; } = new(Nothing);

    /// <summary>The answer that returns <paramref name="value"/>.</summary>
    public static InvocationAnswer Returning(object value) => new(Nothing, value);

    /// <summary>Writes it to the host.</summary>
    public async Task WriteAsync(HttpContext host)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(this, Options);
        host.Response.ContentType = "application/json; charset=utf-8";
        host.Response.ContentLength = bytes.Length;
        await host.Response.Body.WriteAsync(bytes, host.RequestAborted);
    }
}
