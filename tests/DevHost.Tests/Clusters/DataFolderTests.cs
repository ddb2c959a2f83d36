using System.Text.Json.Nodes;
using Baton.DevHost.Clusters;
using Baton.DevHost.Processes;

namespace Baton.DevHost.Tests.Clusters;

public sealed class DataFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("baton-data-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_folder_in_use_is_refused_with_the_way_out_and_is_free_again_afterwards()
    {
        await using (await LocalMachine.StartAsync(_folder, ["a"], keepData: true, CancellationToken.None))
        {
            var refused = await Assert.ThrowsAsync<DataFolderInUseException>(() => LocalMachine.StartAsync(_folder, ["a"], keepData: true, CancellationToken.None));
            Assert.Equal($"The data folder {_folder} is in use by another DevHost. Stop that one, or choose another folder with --data.", refused.Message);
        }

        await using var again = await LocalMachine.StartAsync(_folder, ["a"], keepData: true, CancellationToken.None);
    }

    [Fact]
    public void Secrets_are_made_once_and_only_their_owner_can_read_them()
    {
        var first = new DataFolder(_folder).Secrets("a");

        Assert.Equal(first, new DataFolder(_folder).Secrets("a"));
        Assert.NotEqual(first, new DataFolder(_folder).Secrets("b"));
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(new DataFolder(_folder).SecretsFile("a")) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Fact]
    public void A_folder_from_before_there_was_a_replication_secret_gets_one_and_keeps_it_and_all_others()
    {
        var made = new DataFolder(_folder).Secrets("a");
        var file = new DataFolder(_folder).SecretsFile("a");
        var before = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        Assert.True(before.Remove("replicationSecret"));
        File.WriteAllText(file, before.ToJsonString());

        var completed = new DataFolder(_folder).Secrets("a");

        Assert.True(completed.ReplicationSecret.Length >= 16);
        Assert.Equal(made with { ReplicationSecret = completed.ReplicationSecret }, completed);
        Assert.Equal(completed, new DataFolder(_folder).Secrets("a"));
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(file) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Fact]
    public void A_program_that_is_not_there_is_named()
    {
        var failure = Assert.Throws<InvalidOperationException>(() => ChildProcess.Start(new ChildProcessStart("azurite", "/no/such/node", [])));

        Assert.Contains("azurite: '/no/such/node' cannot be started", failure.Message, StringComparison.Ordinal);
        Assert.Contains("on the PATH", failure.Message, StringComparison.Ordinal);
    }
}
