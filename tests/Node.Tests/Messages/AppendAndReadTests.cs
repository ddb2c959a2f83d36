using System.Text;
using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Messages;

public sealed class AppendAndReadTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task What_was_appended_is_read_in_order_with_its_names()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, term: 3);
        var request = new AppendRequest([new MessageBody([1, 2], $"{channel}_v1", "k"), new MessageBody([])]);
        var written = await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/messages", request));
        Assert.Equal((1L, 2L, 3L), (written.FirstLsn, written.LastLsn, written.Term));

        var read = await node.ReadAsync(channel);
        Assert.Equal(2, read.LastLsn);
        Assert.Equal(3, read.NextLsn);
        Assert.Collection(
            read.Messages,
            m =>
            {
                Assert.Equal((1L, WalRecordType.Message, $"{channel}_v1", "k"), (m.Lsn, m.Type, m.VChannel, m.Key));
                Assert.Equal([1, 2], m.Payload);
            },
            m =>
            {
                Assert.Equal((2L, null, null), (m.Lsn, m.VChannel, m.Key));
                Assert.Empty(m.Payload);
                Assert.Equal(written.TimeTick, m.TimeTick);
            });
        Assert.True(read.Messages[0].TimeTick < read.Messages[1].TimeTick);
    }

    [Fact]
    public async Task Concurrent_writers_get_dense_positions_and_none_is_lost()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => node.AppendAsync(channel, $"m{i}", $"n{i}")));
        Assert.Equal(Enumerable.Range(0, 64).Select(i => 1L + (2 * i)), answers.Select(a => a.FirstLsn).Order());
        var texts = await node.TextsAsync(channel);
        Assert.All(Enumerable.Range(0, 64), i => Assert.Equal($"n{i}", texts[Array.IndexOf(texts, $"m{i}") + 1]));
    }

    [Fact]
    public async Task A_read_stops_at_max_and_goes_on_from_there()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await node.AppendAsync(channel, "a", "b", "c", "d", "e");
        List<string> seen = [];
        var from = 1L;
        while (from <= 5)
        {
            var read = await node.ReadAsync(channel, from: from, max: 2);
            Assert.InRange(read.Messages.Count, 1, 2);
            seen.AddRange(read.Messages.Select(m => Encoding.UTF8.GetString(m.Payload)));
            from = read.NextLsn;
        }

        Assert.Equal(["a", "b", "c", "d", "e"], seen);
    }

    [Fact]
    public async Task An_answer_is_bounded_in_bytes()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        for (var i = 0; i < 6; i++)
        {
            await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/messages", new AppendRequest([new MessageBody(new byte[1024 * 1024])])));
        }

        var read = await node.ReadAsync(channel);
        Assert.Equal(4, read.Messages.Count);
        Assert.Equal(5, read.NextLsn);
    }

    [Fact]
    public async Task A_long_poll_wakes_on_an_append()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await node.AppendAsync(channel, "before");
        var poll = node.ReadAsync(channel, from: 2, waitMs: 60_000);
        await Eventually.HoldsAsync(() => node.WaitingReaders(channel) == 1, "the reader waits");
        Assert.False(poll.IsCompleted);
        await node.AppendAsync(channel, "after");
        var read = await poll;
        Assert.Equal("after", Encoding.UTF8.GetString(Assert.Single(read.Messages).Payload));
        Assert.Equal(3, read.NextLsn);
    }

    [Fact]
    public async Task A_long_poll_that_sees_nothing_ends_empty_where_it_began()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var read = await node.ReadAsync(channel, from: 7, waitMs: 1);
        Assert.Empty(read.Messages);
        Assert.Equal((7L, 0L), (read.NextLsn, read.LastLsn));
    }

    [Fact]
    public async Task A_producers_repeat_gets_the_first_answer_and_appends_nothing()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var request = new AppendRequest([new MessageBody([1]), new MessageBody([2])], new ProducerStamp("p1", 5));
        var path = $"channels/{channel}/messages";
        var first = await TestNode.OkAsync<AppendResponse>(node.PostAsync(path, request));
        await node.AppendAsync(channel, "between");
        var again = await TestNode.OkAsync<AppendResponse>(node.PostAsync(path, request));
        Assert.Equal(first, again);
        Assert.Equal(3, (await node.StatusAsync(channel)).LastLsn);
    }

    [Fact]
    public async Task Repeats_sent_at_once_append_once()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var request = new AppendRequest([new MessageBody([1])], new ProducerStamp("p1", 1));
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/messages", request))));
        Assert.Single(answers.Distinct());
        Assert.Single((await node.ReadAsync(channel)).Messages);
    }

    [Fact]
    public async Task A_repeat_after_a_restart_gets_the_first_answer()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        var request = new AppendRequest([new MessageBody([1])], new ProducerStamp("p1", 1));
        AppendResponse first;
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            first = await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/messages", request));
        }

        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");
        var again = await TestNode.OkAsync<AppendResponse>(next.PostAsync($"channels/{channel}/messages", request));
        Assert.Equal((first.FirstLsn, first.LastLsn, first.TimeTick), (again.FirstLsn, again.LastLsn, again.TimeTick));
        Assert.Equal(1, (await next.StatusAsync(channel)).LastLsn);
    }
}
