using System.Globalization;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Metadata;

namespace Baton.Bench.Metadata;

/// <summary>A request with commands that is made once and sent many times, each time with other values of the same length.</summary>
internal sealed class CommandBody
{
    /// <summary>Written over in place; its digits occur nowhere else.</summary>
    private const long Mark = 7_777_777_777;

    private readonly byte[] _request;
    private readonly List<int> _places = [];
    private long _value = 1_000_000_000;

    /// <summary>Commits of offsets on partition 0 of a topic, one for each of the groups.</summary>
    public CommandBody(LeanClient client, string topic, IReadOnlyList<string> groups)
    {
        var commands = new MetadataCommandsRequest([.. groups.Select(g => new CommitOffset(g, topic, 0, Mark))]);
        _request = client.Request("POST", "/metadata/commands", JsonSerializer.SerializeToUtf8Bytes(commands, BatonJson.Options));
        var mark = System.Text.Encoding.ASCII.GetBytes(Mark.ToString(CultureInfo.InvariantCulture));
        for (var at = _request.AsSpan().IndexOf(mark); at >= 0;)
        {
            _places.Add(at);
            var next = _request.AsSpan(at + mark.Length).IndexOf(mark);
            at = next < 0 ? -1 : at + mark.Length + next;
        }
    }

    /// <summary>Bytes of one command's record, as a raw append of the same size needs them.</summary>
    public static int RecordBytes(string topic, string group) => MetadataCodec.Encode(new CommitOffset(group, topic, 0, Mark)).Length;

    /// <summary>The request with values that it has not had before. The same bytes each time: one request at a time.</summary>
    public ReadOnlyMemory<byte> Next()
    {
        foreach (var place in _places)
        {
            System.Buffers.Text.Utf8Formatter.TryFormat(++_value, _request.AsSpan(place), out _);
        }

        return _request;
    }
}
