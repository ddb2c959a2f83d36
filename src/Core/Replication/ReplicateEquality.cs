using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Baton.Core.Replication;

/// <summary>When two configurations are the same: the order of clusters and edges says nothing, the order of pchannels everything.</summary>
public static class ReplicateEquality
{
    private const int FingerprintDigits = 12;

    /// <summary>Whether replacing one by the other would change nothing. None and one with nothing in it are the same; so are no token and an empty one.</summary>
    public static bool Same(ReplicateConfiguration? a, ReplicateConfiguration? b) => string.Equals(Canonical(a), Canonical(b), StringComparison.Ordinal);

    /// <summary>The one text of every configuration that is the same as <paramref name="configuration"/>. JSON, since any other separator could occur in a name.</summary>
    public static string Canonical(ReplicateConfiguration? configuration)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            WriteClusters(json, configuration?.Clusters ?? []);
            WriteEdges(json, configuration?.Edges ?? []);
            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>A short name for what a configuration says, for operation ids: the first 12 hex digits of the SHA-256 of its canonical text.</summary>
    public static string Fingerprint(ReplicateConfiguration? configuration) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Canonical(configuration))))[..FingerprintDigits];

    private static void WriteClusters(Utf8JsonWriter json, IReadOnlyList<ReplicateCluster?> clusters)
    {
        json.WriteStartArray();
        foreach (var cluster in clusters.OrderBy(c => c?.ClusterId, StringComparer.Ordinal).ThenBy(c => c?.Uri, StringComparer.Ordinal))
        {
            json.WriteStartArray();
            json.WriteStringValue(cluster?.ClusterId);
            json.WriteStringValue(cluster?.Uri);
            json.WriteStringValue(cluster?.Token ?? "");
            foreach (var channel in cluster?.PChannels ?? [])
            {
                json.WriteStringValue(channel);
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void WriteEdges(Utf8JsonWriter json, IReadOnlyList<ReplicateEdge?> edges)
    {
        json.WriteStartArray();
        foreach (var edge in edges.OrderBy(e => e?.Source, StringComparer.Ordinal).ThenBy(e => e?.Target, StringComparer.Ordinal))
        {
            json.WriteStartArray();
            json.WriteStringValue(edge?.Source);
            json.WriteStringValue(edge?.Target);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }
}
