using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Baton.Cli.Text;
using Baton.Storage.Wal;

namespace Baton.Cli.Wal;

/// <summary>How <c>dump</c> shows payloads.</summary>
internal enum PayloadForm
{
    /// <summary>Only how many bytes there are.</summary>
    None,

    /// <summary>As UTF-8.</summary>
    Text,

    /// <summary>Byte by byte.</summary>
    Hex,
}

/// <summary>How <c>dump</c> writes its lines.</summary>
internal interface IRecordFormat
{
    /// <summary>A record as one line.</summary>
    public string Record(WalEntry entry);

    /// <summary>A damage as one line.</summary>
    public string Damage(WalDamage damage);
}

/// <summary>Lines for people. Whatever a client chose stands in quotes, escaped.</summary>
internal sealed class TextRecordFormat(PayloadForm payloadForm) : IRecordFormat
{
    private const int ShownChars = 64;
    private const int ShownBytes = 32;

    public string Record(WalEntry entry)
    {
        var record = entry.Record;
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"{entry.Lsn}  term {entry.Term}  {record.Type}  {Time(record.TimeTick)}  vchannel {Printable.Quote(record.VChannel)}");
        line.Append(CultureInfo.InvariantCulture, $"  txn {Id(record.TxnId)}  broadcast {Id(record.BroadcastId)}  key {Printable.Quote(record.Key)}  {record.Payload.Length} B");
        return payloadForm switch
        {
            PayloadForm.Text => line.Append("  ").Append(Printable.Quote(record.Payload.Span, ShownChars)).ToString(),
            PayloadForm.Hex => line.Append("  ").Append(Hex(record.Payload.Span)).ToString(),
            _ => line.ToString(),
        };
    }

    public string Damage(WalDamage damage) => DamageText.Of(damage);

    // Unix milliseconds × 1024 + counter.
    private static string Time(long tick) => TimeOf(tick) is { } time
        ? string.Create(CultureInfo.InvariantCulture, $"{time:yyyy-MM-ddTHH:mm:ss.fffZ}+{tick & 1023}")
        : string.Create(CultureInfo.InvariantCulture, $"tick {tick}");

    /// <summary>The time that a tick stands for, or null when it is no time before the year 10000.</summary>
    public static DateTimeOffset? TimeOf(long tick) => (tick >> 10) is >= 0 and <= 253_402_300_799_999 and var milliseconds ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) : null;

    private static string Id(long id) => id == 0 ? "-" : id.ToString(CultureInfo.InvariantCulture);

    private static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexString(bytes[..Math.Min(bytes.Length, ShownBytes)]) + (bytes.Length > ShownBytes ? "…" : string.Empty);
}

/// <summary>Lines for programs: one object each, nothing left out. What is null or 0 in the log is not there.</summary>
internal sealed class JsonRecordFormat : IRecordFormat
{
    // The default encoder writes control characters and everything beyond ASCII as \uXXXX.
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    public string Record(WalEntry entry)
    {
        var record = entry.Record;
        return JsonSerializer.Serialize(
            new
            {
                entry.Lsn,
                entry.Term,
                record.Type,
                record.TimeTick,
                Time = TextRecordFormat.TimeOf(record.TimeTick)?.UtcDateTime,
                Vchannel = record.VChannel,
                TxnId = Present(record.TxnId),
                KeepaliveMs = Present(record.KeepaliveMs),
                TxnBeginLsn = Present(record.TxnBeginLsn),
                BroadcastId = Present(record.BroadcastId),
                record.Source,
                record.ProducerId,
                ProducerSequence = Present(record.ProducerSequence),
                record.Key,
                Payload = Convert.ToBase64String(record.Payload.Span),
            },
            Options);
    }

    public string Damage(WalDamage damage) => JsonSerializer.Serialize(new { Damage = damage }, Options);

    private static long? Present(long value) => value == 0 ? null : value;
}
