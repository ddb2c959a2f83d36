using Azure.Storage.Blobs.Models;

namespace Baton.Storage.Tests;

public sealed class BatonStorageTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    private const string Secret = "bm90IGEga2V5IGJ1dCBzZWNyZXQ=";

    [Fact]
    public async Task A_connection_string_opens_tables_and_blobs()
    {
        var storage = azurite.Open();
        var container = storage.Blobs.GetBlobContainerClient($"c{Guid.NewGuid():N}");

        await container.CreateAsync(PublicAccessType.None);
        await storage.Tables.GetTableClient($"t{Guid.NewGuid():N}").CreateIfNotExistsAsync();

        Assert.Equal(azurite.Account.Name, storage.Tables.AccountName);
        Assert.Equal(azurite.Account.Name, storage.Blobs.AccountName);
    }

    [Theory]
    [InlineData("AccountKey=" + Secret, "AccountName")]
    [InlineData("AccountName=a", "AccountKey")]
    [InlineData("AccountName=a;AccountKey=*" + Secret, "base64")]
    [InlineData("AccountName=a;AccountKey=" + Secret + ";TableEndpoint=nowhere", "TableEndpoint")]
    [InlineData("bm90IGEga2V5IGJ1dCBzZWNyZXQ", "name=value")]
    public void A_connection_string_that_cannot_be_used_is_named_and_not_shown(string text, string part)
    {
        var failure = Assert.Throws<InvalidOperationException>(() => BatonStorage.Open(new StorageOptions { ConnectionString = text }));

        Assert.Contains("Storage:ConnectionString", failure.Message, StringComparison.Ordinal);
        Assert.Contains(part, failure.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(Secret.TrimEnd('='), failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_and_contradicting_settings_are_named()
    {
        var blob = new Uri("https://a.blob.core.windows.net");

        Assert.Contains("Storage:BlobServiceUri", Message(new StorageOptions()), StringComparison.Ordinal);
        Assert.Contains("Storage:TableServiceUri", Message(new StorageOptions { BlobServiceUri = blob }), StringComparison.Ordinal);
        Assert.Contains("https", Message(new StorageOptions { BlobServiceUri = new Uri("http://a"), TableServiceUri = blob }), StringComparison.Ordinal);
        Assert.Contains("exclude", Message(new StorageOptions { ConnectionString = "AccountName=a", BlobServiceUri = blob }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10_001)]
    public void A_bound_of_connections_that_makes_no_sense_is_named(int connections)
    {
        var message = Message(new StorageOptions { ConnectionString = azurite.ConnectionString, MaxConnections = connections });

        Assert.Contains("Storage:MaxConnections", message, StringComparison.Ordinal);
        Assert.Contains("1 to 10000", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Endpoints_and_an_identity_open_without_a_call()
    {
        var storage = BatonStorage.Open(new StorageOptions
        {
            BlobServiceUri = new Uri("https://a.blob.core.windows.net"),
            TableServiceUri = new Uri("https://a.table.core.windows.net"),
            ClientId = "0f8fad5b-d9cb-469f-a165-70867728950e",
        });

        Assert.Equal("a", storage.Tables.AccountName);
        Assert.Equal("a", storage.Blobs.AccountName);
    }

    private static string Message(StorageOptions options) => Assert.Throws<InvalidOperationException>(() => BatonStorage.Open(options)).Message;
}
