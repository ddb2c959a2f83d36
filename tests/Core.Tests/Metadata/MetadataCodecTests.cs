using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Metadata;

namespace Baton.Core.Tests.Metadata;

public sealed class MetadataCodecTests
{
    public static TheoryData<string, MetadataCommand> Golden { get; } = new()
    {
        { """{"v":1,"type":"CreateTopic","name":"orders","partitions":3,"replicationFactor":2,"config":{"a":"b"}}""", new CreateTopic("orders", 3, 2, new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b" }) },
        { """{"v":1,"type":"CreateTopic","name":"orders"}""", new CreateTopic("orders") },
        { """{"v":1,"type":"DeleteTopic","name":"orders","topicId":7}""", new DeleteTopic("orders", 7) },
        { """{"v":1,"type":"UpdateTopicConfig","name":"orders","config":{"a":"\"é\"","b":null}}""", new UpdateTopicConfig("orders", new Dictionary<string, string?>(StringComparer.Ordinal) { ["a"] = "\"é\"", ["b"] = null }) },
        { """{"v":1,"type":"RegisterNode","nodeId":"n1","endpoint":"http://n1:80","incarnation":4,"zone":"z","capacity":2}""", new RegisterNode("n1", new Uri("http://n1:80"), 4, "z", 2) },
        { """{"v":1,"type":"UpdateNodeStatus","nodeId":"n1","status":"failed","incarnation":4}""", new UpdateNodeStatus("n1", NodeStatus.Failed, 4) },
        { """{"v":1,"type":"RemoveNode","nodeId":"n1"}""", new RemoveNode("n1") },
        {
            """{"v":1,"type":"AssignPartition","topic":"orders","partition":2,"channel":"orders-2","replicas":["n1","n2"],"leader":"n1","term":3,"topicId":7}""",
            new AssignPartition("orders", 2, "orders-2", ["n1", "n2"], "n1", 3, 7)
        },
        { """{"v":1,"type":"SetPartitionLeader","topic":"orders","partition":2,"term":3}""", new SetPartitionLeader("orders", 2, null, 3) },
        { """{"v":1,"type":"UpdateIsr","topic":"orders","partition":2,"isr":["n1"],"term":3,"topicId":7}""", new UpdateIsr("orders", 2, ["n1"], 3, 7) },
        { """{"v":1,"type":"SetHighWatermark","topic":"orders","partition":2,"highWatermark":9007199254740991}""", new SetHighWatermark("orders", 2, 9007199254740991) },
        { """{"v":1,"type":"CreateConsumerGroup","groupId":"g","protocol":"range"}""", new CreateConsumerGroup("g", "range") },
        {
            """{"v":1,"type":"UpdateConsumerGroup","groupId":"g","state":"completingRebalance","generation":2,"leader":"m","members":[{"memberId":"m","clientId":"c","topics":["orders"],"assignment":"0"}]}""",
            new UpdateConsumerGroup("g", GroupState.CompletingRebalance, 2, "m", [new GroupMember("m", "c", ["orders"], "0")])
        },
        { """{"v":1,"type":"CommitOffset","groupId":"g","topic":"orders","partition":0,"offset":12,"note":"n","topicId":7}""", new CommitOffset("g", "orders", 0, 12, "n", 7) },
        { """{"v":1,"type":"DeleteConsumerGroup","groupId":"g"}""", new DeleteConsumerGroup("g") },
    };

    [Theory]
    [MemberData(nameof(Golden))]
    public void A_command_has_these_bytes_and_they_are_this_command(string bytes, MetadataCommand command)
    {
        Assert.Equal(bytes, Encoding.UTF8.GetString(MetadataCodec.Encode(command)));
        var decoded = MetadataCodec.Decode(Encoding.UTF8.GetBytes(bytes));
        Assert.Equivalent(command, decoded, strict: true);
        Assert.Equal(bytes, Encoding.UTF8.GetString(MetadataCodec.Encode(decoded)));
    }

    [Fact]
    public void Every_type_of_command_has_golden_bytes() => Assert.Equal(
        typeof(MetadataCommand).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(MetadataCommand))).Select(t => t.Name).Order(StringComparer.Ordinal),
        Golden.Select(g => g[1].GetType().Name).Distinct().Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("""{"v":2,"type":"CreateTopic","name":"orders"}""", "CreateTopic", 2)]
    [InlineData("""{"v":1,"type":"MoveTopic","name":"orders"}""", "MoveTopic", 1)]
    [InlineData("""{"v":7,"type":"MoveTopic","to":{"anything":[1]}}""", "MoveTopic", 7)]
    public void A_command_of_a_newer_writer_stops_with_its_type_and_version(string bytes, string type, long version)
    {
        var e = Assert.Throws<UnknownMetadataCommandException>(() => MetadataCodec.Decode(Encoding.UTF8.GetBytes(bytes)));
        Assert.Equal((type, version), (e.Type, e.Version));
        Assert.Contains($"'{type}' in format version {version}", e.Message, StringComparison.Ordinal);
        Assert.Contains("older than the log's writer and must be updated", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"type":"CreateTopic","name":"orders"}""")]
    [InlineData("""{"v":"1","type":"CreateTopic","name":"orders"}""")]
    [InlineData("""{"v":1,"name":"orders","type":"CreateTopic"}""")]
    [InlineData("""{"v":1,"type":"CreateTopic"}""")]
    [InlineData("""{"v":1,"type":"CreateTopic","name":null}""")]
    [InlineData("""{"v":1,"type":"CreateTopic","name":"orders","more":1}""")]
    [InlineData("""{"v":1,"type":"CreateTopic","name":"orders","name":"orders"}""")]
    [InlineData("""{"v":1,"type":"CreateTopic","name":"orders","partitions":"3"}""")]
    [InlineData("""{"v":1,"type":"CreateTopic","name":"orders"}}""")]
    [InlineData("""{"v":1,"type":"UpdateNodeStatus","nodeId":"n1","status":"asleep"}""")]
    public void What_is_no_command_is_damaged(string bytes) => Assert.Throws<InvalidDataException>(() => MetadataCodec.Decode(Encoding.UTF8.GetBytes(bytes)));

    [Fact]
    public void Every_prefix_of_every_command_is_damaged()
    {
        foreach (var bytes in Golden.Select(g => Encoding.UTF8.GetBytes((string)g[0])))
        {
            for (var length = 0; length < bytes.Length; length++)
            {
                Assert.Throws<InvalidDataException>(() => { MetadataCodec.Decode(bytes.AsSpan(0, length)); });
            }
        }
    }

    [Fact]
    public void A_flipped_bit_gives_a_command_or_one_of_the_two_errors()
    {
        foreach (var bytes in Golden.Select(g => Encoding.UTF8.GetBytes((string)g[0])))
        {
            for (var bit = 0; bit < bytes.Length * 8; bit += 7)
            {
                var flipped = (byte[])bytes.Clone();
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                var e = Record.Exception(() => MetadataCodec.Decode(flipped));
                Assert.True(e is null or InvalidDataException or UnknownMetadataCommandException, $"{Encoding.UTF8.GetString(flipped)}: {e}");
            }
        }
    }

    [Fact]
    public void A_request_may_have_its_type_anywhere_and_no_unknown_or_missing_or_repeated_member()
    {
        static MetadataCommandsRequest? Read(string command) => JsonSerializer.Deserialize<MetadataCommandsRequest>($$"""{"commands":[{{command}}]}""", BatonJson.RequestOptions);
        Assert.Equal(new CreateTopic("orders", 3), Assert.Single(Read("""{"name":"orders","partitions":3,"type":"CreateTopic"}""")!.Commands!));
        Assert.All(
            [
                """{"type":"CreateTopic","name":"orders","topic":"orders"}""", """{"type":"CreateTopic"}""", """{"type":"MoveTopic","name":"orders"}""", """{"name":"orders"}""",
                """{"type":"CreateTopic","type":"DeleteTopic","name":"orders"}""", """{"type":"SetHighWatermark","topic":"orders","partition":1}""",
            ],
            command => Assert.ThrowsAny<Exception>(() => Read(command)));
    }

    [Fact]
    public void What_follows_from_the_state_of_the_cluster_is_internal() => Assert.Equal(
        ["AssignPartition", "RegisterNode", "RemoveNode", "SetHighWatermark", "SetPartitionLeader", "UpdateIsr", "UpdateNodeStatus"],
        Golden.Select(g => (MetadataCommand)g[1]).Where(c => c.IsInternal).Select(c => c.GetType().Name).Distinct().Order(StringComparer.Ordinal));
}
