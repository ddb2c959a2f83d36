using System.Text;
using Baton.Core.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>The bytes of docs/wal-format.md, "Snapshot".</summary>
public sealed class WalSnapshotFormatTests
{
    private static readonly byte[] Golden = ReadGolden();
    private static readonly byte[] Content = "state at LSN 42"u8.ToArray();

    [Fact]
    public void The_golden_snapshot_decodes_to_what_its_comments_say()
    {
        var header = WalSnapshotHeader.Decode(Golden.AsSpan(0, WalSnapshotHeader.SizeOf(Golden)));

        Assert.Equal(new WalSnapshotHeader("orders-1", 7, 42, 15), header);
        Assert.Equal(Golden.Length, WalSnapshotCodec.SizeOf(header, WalSnapshotHeader.SizeOf(Golden)));
        Assert.Equal("state at LSN 42", Encoding.UTF8.GetString(Decode(Golden)));
    }

    [Fact]
    public void The_golden_snapshot_is_what_is_encoded() =>
        Assert.Equal(Convert.ToHexString(Golden), Convert.ToHexString([.. WalSnapshotCodec.Encode("orders-1", 7, 42, Content).SelectMany(block => block)]));

    [Fact]
    public void Every_single_flipped_bit_is_found()
    {
        for (var bit = 0; bit < Golden.Length * 8; bit++)
        {
            var damaged = (byte[])Golden.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<WalFormatException>(() => Decode(damaged));
        }
    }

    [Fact]
    public void Every_truncation_is_found()
    {
        for (var length = 0; length < Golden.Length; length++)
        {
            Assert.Throws<WalFormatException>(() => Decode(Golden.AsSpan(0, length)));
        }
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 3)]
    [InlineData(WalSnapshotCodec.BlockContentSizeBytes, 3)]
    [InlineData(WalSnapshotCodec.BlockContentSizeBytes + 1, 4)]
    [InlineData(3 * WalSnapshotCodec.BlockContentSizeBytes, 5)]
    public void Any_length_survives(int length, int blocks)
    {
        var content = new byte[length];
        new Random(length).NextBytes(content);

        var encoded = WalSnapshotCodec.Encode("ch", 1, 2, content).ToList();

        Assert.Equal(blocks, encoded.Count);
        Assert.True(content.AsSpan().SequenceEqual(Decode([.. encoded.SelectMany(block => block)])));
    }

    [Fact]
    public void Blocks_that_have_changed_places_are_found_even_where_their_bytes_are_the_same_but_for_the_order()
    {
        var content = new byte[2 * WalSnapshotCodec.BlockContentSizeBytes];
        content.AsSpan(WalSnapshotCodec.BlockContentSizeBytes).Fill(1);
        var encoded = WalSnapshotCodec.Encode("ch", 1, 2, content).ToList();

        var failure = Assert.Throws<WalFormatException>(() => WalSnapshotCodec.DecodeBlock(encoded[2], 0));

        Assert.Contains("content at 0", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_header_of_another_version_is_named()
    {
        var other = (byte[])Golden.Clone();
        other[8] = 2;

        Assert.Contains("format version 2", Assert.Throws<WalFormatException>(() => WalSnapshotHeader.SizeOf(other)).Message, StringComparison.Ordinal);
    }

    private static byte[] Decode(ReadOnlySpan<byte> snapshot)
    {
        var at = WalSnapshotHeader.SizeOf(snapshot);
        var header = WalSnapshotHeader.Decode(snapshot[..Math.Min(at, snapshot.Length)]);
        var content = new byte[header.ContentLength];
        for (var filled = 0; filled < content.Length;)
        {
            var size = Math.Min(content.Length - filled, WalSnapshotCodec.BlockContentSizeBytes);
            var block = WalSnapshotCodec.DecodeBlock(snapshot.Slice(at, Math.Min(size + WalSnapshotCodec.BlockHeaderSizeBytes, snapshot.Length - at)), filled);
            block.CopyTo(content.AsSpan(filled));
            filled += size;
            at += size + WalSnapshotCodec.BlockHeaderSizeBytes;
        }

        WalSnapshotCodec.CheckEnd(snapshot[at..], content);
        return content;
    }

    private static byte[] ReadGolden()
    {
        using var stream = typeof(WalSnapshotFormatTests).Assembly.GetManifestResourceStream("snapshot-v1.hex")!;
        using var reader = new StreamReader(stream);
        var lines = reader.ReadToEnd().Split('\n').Select(line => line.Split('#')[0].Replace(" ", "", StringComparison.Ordinal).Trim());
        return Convert.FromHexString(string.Concat(lines));
    }
}
