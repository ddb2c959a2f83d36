using System.Diagnostics;
using System.Globalization;
using Azure.Storage.Blobs.Specialized;
using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Metadata;
using Baton.Storage;

namespace Baton.Bench.Metadata;

/// <summary>One client, one command after the other.</summary>
internal static class LoneCommands
{
    private const int WarmUp = 200;

    /// <summary>A commit at the leader and a raw append of as many bytes, in turns.</summary>
    public static async Task<(Samples Commands, Samples Raw)> BesideRawAsync(DelayedCluster cluster, int leader, CatalogueContent content, TimeSpan duration, CancellationToken cancellationToken)
    {
        using var client = cluster.Client(leader);
        var body = new CommandBody(client, CatalogueContent.Topic, [content.Groups[0]]);
        var storage = BatonStorage.Open(new StorageOptions { ConnectionString = cluster.Cluster.StorageConnectionString });
        var container = storage.Blobs.GetBlobContainerClient("raw");
        await container.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
        var blob = container.GetAppendBlobClient(Guid.NewGuid().ToString("N"));
        await blob.CreateAsync(cancellationToken: cancellationToken);
        var payload = new byte[CommandBody.RecordBytes(CatalogueContent.Topic, content.Groups[0])];
        var (commands, raw) = (new Samples(), new Samples());
        await RepeatAsync(duration, async counts =>
        {
            await (counts ? commands : new Samples()).TimeAsync(() => client.SendAsync(body.Next(), cancellationToken).AsTask());
            await (counts ? raw : new Samples()).TimeAsync(() => blob.AppendBlockAsync(new MemoryStream(payload), cancellationToken: cancellationToken));
        });
        return (commands, raw);
    }

    /// <summary>The same command at the leader and at a follower, in turns.</summary>
    public static async Task<(Samples AtLeader, Samples Forwarded)> ForwardedAsync(DelayedCluster cluster, int leader, CatalogueContent content, TimeSpan duration, CancellationToken cancellationToken)
    {
        using var straight = cluster.Client(leader);
        using var around = cluster.Client((leader + 1) % DelayedCluster.Nodes);
        var (here, there) = (new CommandBody(straight, CatalogueContent.Topic, [content.Groups[0]]), new CommandBody(around, CatalogueContent.Topic, [content.Groups[1]]));
        var (atLeader, forwarded) = (new Samples(), new Samples());
        await RepeatAsync(duration, async counts =>
        {
            await (counts ? atLeader : new Samples()).TimeAsync(() => straight.SendAsync(here.Next(), cancellationToken).AsTask());
            await (counts ? forwarded : new Samples()).TimeAsync(() => around.SendAsync(there.Next(), cancellationToken).AsTask());
        });
        return (atLeader, forwarded);
    }

    /// <summary>New topics of one partition, answered when it has a leader: what they cost beyond a command is the control plane's.</summary>
    public static async Task<Samples> CreationsAsync(DelayedCluster cluster, int leader, string prefix, int count, CancellationToken cancellationToken)
    {
        using var client = cluster.Client(leader);
        var created = new Samples();
        for (var i = 0; i < count; i++)
        {
            var request = client.Request("POST", "/metadata/commands", Catalogue.Body(new CreateTopic(string.Create(CultureInfo.InvariantCulture, $"{prefix}-{i}"), 1, 1)));
            await created.TimeAsync(() => client.SendAsync(request, cancellationToken).AsTask());
        }

        return created;
    }

    private static async Task RepeatAsync(TimeSpan duration, Func<bool, Task> once)
    {
        // Compiled, and every connection made; slow modes have no time for all of it.
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < WarmUp && clock.Elapsed < duration; i++)
        {
            await once(false);
        }

        for (clock.Restart(); clock.Elapsed < duration;)
        {
            await once(true);
        }
    }
}
