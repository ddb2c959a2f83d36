using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Baton.Core.Wal;

/// <summary>Writes the primitives of the log's format into a span of exactly the right size.</summary>
internal ref struct WireWriter(Span<byte> target)
{
    private readonly Span<byte> _target = target;
    private int _at;

    public readonly int Written => _at;

    /// <summary>UTF-8 that refuses lone surrogates: what cannot be read back must not be written.</summary>
    public static UTF8Encoding Utf8 { get; } = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static int VarintSize(ulong value) => ((BitOperations.Log2(value | 1) * 9) + 73) / 64;

    public static int BytesSize(int length) => VarintSize((ulong)length) + length;

    public static int TextSize(string text) => BytesSize(Utf8.GetByteCount(text));

    public void Byte(byte value) => _target[_at++] = value;

    public void UInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_target[_at..], value);
        _at += sizeof(ushort);
    }

    public void UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_target[_at..], value);
        _at += sizeof(uint);
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_target[_at..], value);
        _at += sizeof(long);
    }

    public void Varint(ulong value)
    {
        while (value >= 0x80)
        {
            _target[_at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _target[_at++] = (byte)value;
    }

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        Varint((ulong)bytes.Length);
        bytes.CopyTo(_target[_at..]);
        _at += bytes.Length;
    }

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_target[_at..]);
        _at += bytes.Length;
    }

    public void Text(string text)
    {
        Varint((ulong)Utf8.GetByteCount(text));
        _at += Utf8.GetBytes(text, _target[_at..]);
    }
}

/// <summary>Reads the primitives of the log's format and names what is wrong with them, and where.</summary>
/// <param name="source">What to read.</param>
/// <param name="origin">Offset of its first byte in what the caller decodes, for error messages.</param>
internal ref struct WireReader(ReadOnlySpan<byte> source, int origin)
{
    private readonly ReadOnlySpan<byte> _source = source;
    private int _at;

    /// <summary>Offset of the next byte, counted as the caller counts.</summary>
    public readonly int Offset => origin + _at;

    /// <summary>Bytes read from this span.</summary>
    public readonly int Position => _at;

    public readonly int Left => _source.Length - _at;

    public readonly WalFormatException Wrong(string problem) => new(Offset, problem);

    public byte Byte(string what) => Take(1, what)[0];

    public ushort UInt16(string what) => BinaryPrimitives.ReadUInt16LittleEndian(Take(sizeof(ushort), what));

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint), what));

    public long Int64(string what) => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long), what));

    /// <summary>A number. <paramref name="what"/> and <paramref name="ofWhat"/> together name it, but only when it is wrong: a text for each number would cost more than the number.</summary>
    public ulong Varint(string what, string ofWhat = "")
    {
        var start = Offset;
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (_at == _source.Length)
            {
                throw Wrong($"{what}{ofWhat} is cut off: 1 bytes wanted, 0 left");
            }

            var next = _source[_at++];
            if (shift == 63 && next > 1)
            {
                throw new WalFormatException(start, $"{what}{ofWhat} is a varint above 64 bits");
            }

            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                // One value has one form, so that what is accepted encodes to the same bytes again.
                return next == 0 && shift > 0 ? throw new WalFormatException(start, $"{what}{ofWhat} is a varint longer than it needs to be") : value;
            }
        }

        throw new WalFormatException(start, $"{what}{ofWhat} is a varint above 64 bits");
    }

    public ReadOnlySpan<byte> Bytes(string what)
    {
        var start = Offset;
        var length = Varint("length of ", what);
        return length <= (ulong)Left
            ? Take((int)length, what)
            : throw new WalFormatException(start, $"{what} claims {length} bytes where {Left} are left");
    }

    public string Text(string what)
    {
        var start = Offset;
        var bytes = Bytes(what);
        try
        {
            return WireWriter.Utf8.GetString(bytes);
        }
        catch (ArgumentException)
        {
            throw new WalFormatException(start, $"{what} is not UTF-8");
        }
    }

    public ReadOnlySpan<byte> Take(int length, string what)
    {
        if (length > Left)
        {
            throw new WalFormatException(Offset, $"{what} is cut off: {length} bytes wanted, {Left} left");
        }

        var taken = _source.Slice(_at, length);
        _at += length;
        return taken;
    }
}
