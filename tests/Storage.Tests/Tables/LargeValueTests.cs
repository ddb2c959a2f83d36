using System.Security.Cryptography;
using System.Text;
using Baton.Storage.Tables;

namespace Baton.Storage.Tests.Tables;

public sealed class LargeValueTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    [Theory]
    [InlineData(0, "json", 1)]
    [InlineData(30_000, "json", 1)]
    [InlineData(40_000, "json+br", 1)]
    [InlineData(1_700_000, "json+br", 13)]
    public async Task A_value_of_any_length_comes_back(int length, string encoding, int leastChunks)
    {
        var table = await azurite.NewTableAsync();
        var text = Noise(length);
        var entity = new TableEntity("p", "r");

        LargeValue.Write(entity, new Document(text, "é漢🚀"));
        await table.AddEntityAsync(entity);
        var read = (await table.GetEntityAsync<TableEntity>("p", "r")).Value;

        Assert.Equal(new Document(text, "é漢🚀"), LargeValue.Read<Document>(read));
        Assert.Equal(encoding, read.GetString("Encoding"));
        Assert.InRange(read.GetInt32("Chunks")!.Value, leastChunks, 16);
    }

    [Fact]
    public async Task A_shorter_value_merged_over_a_longer_one_is_read_whole()
    {
        var table = await azurite.NewTableAsync();
        var first = new TableEntity("p", "r");
        LargeValue.Write(first, Noise(300_000));
        await table.AddEntityAsync(first);
        var second = new TableEntity("p", "r");
        LargeValue.Write(second, "short");
        await table.UpsertEntityAsync(second, TableUpdateMode.Merge);

        var read = (await table.GetEntityAsync<TableEntity>("p", "r")).Value;

        Assert.Equal("short", LargeValue.Read<string>(read));
    }

    [Fact]
    public void Several_values_live_under_their_prefixes()
    {
        var entity = new TableEntity("p", "r");
        LargeValue.Write(entity, "in", "Input");
        LargeValue.WriteUtf8(entity, "[1,2]"u8.ToArray(), "Output");

        Assert.Equal("in", LargeValue.Read<string>(entity, "Input"));
        Assert.Equal("[1,2]", Encoding.UTF8.GetString(LargeValue.ReadUtf8(entity, "Output")!));
        Assert.Null(LargeValue.Read<string>(entity));
    }

    [Fact]
    public void A_value_that_fits_no_entity_says_how_long_it_is()
    {
        var failure = Assert.Throws<LargeValueTooLongException>(() => LargeValue.Write(new TableEntity("p", "r"), Noise(2_000_000)));

        Assert.Equal(2_000_002, failure.LengthBytes);
        Assert.True(failure.StoredBytes > LargeValue.MaxStoredBytes);
    }

    [Fact]
    public void Damaged_or_missing_pieces_are_named()
    {
        var entity = new TableEntity("p", "r");
        LargeValue.Write(entity, Noise(200_000));
        entity.Remove("Data1");
        Assert.Contains("'Data1'", Assert.Throws<InvalidDataException>(() => LargeValue.Read<string>(entity)).Message, StringComparison.Ordinal);

        LargeValue.Write(entity, Noise(40_000));
        entity["Data0"] = new byte[] { 0xFF, 0xFF, 0xFF };
        Assert.Throws<InvalidDataException>(() => LargeValue.Read<string>(entity));

        entity["Encoding"] = "zip";
        Assert.Contains("'zip'", Assert.Throws<InvalidDataException>(() => LargeValue.Read<string>(entity)).Message, StringComparison.Ordinal);
    }

    private static string Noise(int length)
    {
        // Hexadecimal of random bytes: what compression halves at best.
        var bytes = new byte[(length + 1) / 2];
        RandomNumberGenerator.Fill(bytes);
        return Convert.ToHexString(bytes)[..length];
    }

    private sealed record Document(string Text, string Other);
}
