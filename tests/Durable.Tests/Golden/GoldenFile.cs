using System.Runtime.CompilerServices;
using System.Text;
using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Tests.Golden;

/// <summary>The file of a case: both messages in base64, which counts, and beneath as JSON, which is for reading a diff.</summary>
internal sealed record GoldenFile(string Shows, byte[] Request, byte[] Response)
{
    private const int LineLength = 160;

    private static readonly JsonFormatter Readable = new(JsonFormatter.Settings.Default.WithIndentation());

    /// <summary>The text of the kept file, as built beside the tests.</summary>
    public static string Kept(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", $"{name}.txt"));

    /// <summary>Reads what counts in a file's text.</summary>
    public static GoldenFile Parse(string text)
    {
        string[] parts = text.Split("\n\n");
        return new GoldenFile(parts[0][2..], Bytes(parts[1]), Bytes(parts[2]));
    }

    /// <summary>Writes the file into the source folder, for the next build.</summary>
    public void Keep(string name, [CallerFilePath] string here = "") => File.WriteAllText(Path.Combine(Path.GetDirectoryName(here)!, $"{name}.txt"), ToString());

    public override string ToString()
    {
        var text = new StringBuilder($"# {Shows}\n\n");
        Append(text, "request", Request);
        Append(text, "response", Response);
        text.Append(Readable.Format(OrchestratorRequest.Parser.ParseFrom(Request))).Append("\n\n");
        return text.Append(Readable.Format(OrchestratorResponse.Parser.ParseFrom(Response))).Append('\n').ToString();
    }

    private static void Append(StringBuilder text, string title, byte[] bytes)
        => text.Append(title).Append('\n').AppendJoin('\n', Convert.ToBase64String(bytes).Chunk(LineLength).Select(line => new string(line))).Append("\n\n");

    private static byte[] Bytes(string part) => Convert.FromBase64String(string.Concat(part.Split('\n').Skip(1)));
}
