using Azure.Storage.Blobs;
using Baton.DevHost.Azurite;
using Baton.Testing;

namespace Baton.DevHost.Tests.Azurite;

[Collection(AzuriteTests.Name)]
public sealed class AzuriteServerTests(AzuriteFixture azurite)
{
    [Fact]
    public async Task Two_accounts_do_not_see_each_others_data()
    {
        var one = new BlobServiceClient(azurite.NewAccount());
        var two = new BlobServiceClient(azurite.NewAccount());

        await one.CreateBlobContainerAsync("mine");

        Assert.True((await one.GetBlobContainerClient("mine").ExistsAsync()).Value);
        Assert.False((await two.GetBlobContainerClient("mine").ExistsAsync()).Value);
    }

    [Fact]
    public async Task Data_is_there_again_after_an_orderly_stop()
    {
        var folder = Directory.CreateTempSubdirectory("baton-azurite-").FullName;
        var account = AzuriteAccount.Create("kept");
        var options = new AzuriteOptions { Accounts = [account], DataFolder = folder };
        try
        {
            await using (var first = await AzuriteServer.StartAsync(options, CancellationToken.None))
            {
                await new BlobServiceClient(first.ConnectionString("kept")).CreateBlobContainerAsync("stays");
            }

            await using var second = await AzuriteServer.StartAsync(options, CancellationToken.None);
            Assert.True((await new BlobServiceClient(second.ConnectionString("kept")).GetBlobContainerClient("stays").ExistsAsync()).Value);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
