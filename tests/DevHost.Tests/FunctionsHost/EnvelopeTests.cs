using System.Text;
using System.Text.Json.Nodes;
using Baton.DevHost.FunctionsHost.Invocations;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class EnvelopeTests
{
    public static TheoryData<string, object?, string> Values() => new()
    {
        { "a string", "abc", "\"\\\"abc\\\"\"" },
        { "a string with quotes", "{\"a\":\"+é\"}", "\"\\\"{\\\\\\\"a\\\\\\\":\\\\\\\"+é\\\\\\\"}\\\"\"" },
        { "a number", 3, "\"3\"" },
        { "a bool", true, "\"true\"" },
        { "null", null, "\"null\"" },
        { "an array", JsonNode.Parse("[1,\"b\"]"), "\"[1,\\\"b\\\"]\"" },
        { "an array of strings", JsonNode.Parse("[\"x\"]"), "\"[\\\"x\\\"]\"" },
        { "an object", JsonNode.Parse("{\"a\":{\"b\":1}}"), "{\"a\":{\"b\":1}}" },
        { "bytes", "hi"u8.ToArray(), "\"aGk=\"" },
        { "an instant", new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero), "\"2026-01-02T03:04:05+00:00\"" },
        { "a time without zone", new DateTime(2026, 1, 2, 3, 4, 5, 678, DateTimeKind.Utc), "\"2026-01-02T03:04:05\"" },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void A_value_is_encoded_by_the_double_JSON_rule(string what, object? value, string expected)
    {
        Assert.Equal((what, expected), (what, Envelope.Value(value).ToJsonString(Envelope.Json)));
    }

    [Fact]
    public void Metadata_leaves_out_nulls_and_trigger_names_and_always_says_sys()
    {
        var envelope = Envelope.Create("F", [], new JsonObject { ["a"] = "1", ["none"] = null, ["myTrigger"] = "x" }, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

        var metadata = envelope["Metadata"]!.AsObject();
        Assert.Equal("a,sys", string.Join(',', metadata.Select(p => p.Key)));
        Assert.Equal("F", (string?)metadata["sys"]!["MethodName"]);
        Assert.Equal("2026-01-02T03:04:05", (string?)metadata["sys"]!["UtcNow"]);
        Assert.True(Guid.TryParse((string?)metadata["sys"]!["RandGuid"], out _));
    }

    [Fact]
    public void A_JSON_object_in_a_string_trigger_overwrites_metadata_except_with_arrays()
    {
        var metadata = new JsonObject { ["MessageId"] = "\"real\"", ["DeliveryCount"] = "3" };

        Envelope.Inject(metadata, """{"MessageId":"x","DeliveryCount":"0","n":7,"o":{"p":1},"list":[1],"none":null}""");

        Assert.Equal("""{"MessageId":"\"x\"","DeliveryCount":"\"0\"","n":"\"7\"","o":{"p":1}}""", metadata.ToJsonString(Envelope.Json));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[1]")]
    [InlineData("3")]
    public void Other_text_leaves_metadata_alone(string text)
    {
        var metadata = new JsonObject { ["a"] = "1" };

        Envelope.Inject(metadata, text);

        Assert.Equal("""{"a":"1"}""", metadata.ToJsonString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    public void An_empty_or_null_answer_is_no_answer_at_all(string body)
    {
        Assert.Null(FunctionAnswer.Read(new("application/json"), Encoding.UTF8.GetBytes(body)));
    }

    [Theory]
    [InlineData("text/plain", "{}")]
    [InlineData(null, "{}")]
    [InlineData("application/json", "{")]
    [InlineData("application/json", "[]")]
    [InlineData("application/json", "\"x\"")]
    [InlineData("application/json", """{"Outputs":[]}""")]
    public void An_answer_of_the_wrong_form_fails(string? contentType, string body)
    {
        Assert.Throws<InvalidDataException>(() => FunctionAnswer.Read(contentType is null ? null : new(contentType), Encoding.UTF8.GetBytes(body)));
    }

    [Fact]
    public void An_answers_names_are_taken_in_any_case()
    {
        var answer = FunctionAnswer.Read(new("text/json"), """{"outputs":{"q":"x"},"LOGS":["l"],"returnvalue":{"a":1}}"""u8)!;

        Assert.Equal("x", (string?)answer.Outputs["q"]);
        Assert.Equal(["l"], answer.Logs);
        Assert.Equal("""{"a":1}""", answer.ReturnValue!.ToJsonString());
    }

    [Theory]
    [InlineData("\"2026-01-02T03:04:05.6780000Z\"", "\"2026-01-02T03:04:05.678Z\"")]
    [InlineData("{\"at\":[\"2026-01-02T03:04:05.000Z\"]}", "{\"at\":[\"2026-01-02T03:04:05Z\"]}")]
    [InlineData("\"2026-01-02T03:04:05.1000000\"", "\"2026-01-02T03:04:05.1\"")]
    [InlineData("\"/Date(1767323045678)/\"", "\"2026-01-02T03:04:05.678Z\"")]
    [InlineData("\"/Date(1767323045000+0200)/\"", "\"2026-01-02T03:04:05+00:00\"")]
    [InlineData("\"/Date(soon)/\"", "\"/Date(soon)/\"")]
    [InlineData("\"/Date(99999999999999999999)/\"", "\"/Date(99999999999999999999)/\"")]
    [InlineData("1.0", "1.0")]
    [InlineData("1e2", "100.0")]
    [InlineData("0.1000", "0.1")]
    [InlineData("12345678901234567", "12345678901234567")]
    [InlineData("\"2026-01-02\"", "\"2026-01-02\"")]
    [InlineData("\"at 2026-01-02T03:04:05.000Z\"", "\"at 2026-01-02T03:04:05.000Z\"")]
    public void Dates_and_fractions_are_written_anew(string value, string expected)
    {
        var answer = FunctionAnswer.Read(new("application/json"), Encoding.UTF8.GetBytes($$"""{"ReturnValue":{{value}}}"""))!;

        Assert.Equal(expected, answer.ReturnValue!.ToJsonString(Envelope.Json));
    }

    [Theory]
    [InlineData("\"test\"", false, "b5-eb-2d")]
    [InlineData("\"test\"", true, "74-65-73-74")]
    [InlineData("\"{}\"", false, "7b-7d")]
    [InlineData("{\"a\":\"test\"}", false, "7b-22-61-22-3a-22-74-65-73-74-22-7d")]
    [InlineData("[\"test\",{}]", false, "74-65-73-74,7b-7d")]
    [InlineData("null", false, "")]
    public void A_queue_output_decodes_text_that_happens_to_be_base64(string value, bool binary, string expected)
    {
        var messages = OutputValue.Messages(JsonNode.Parse(value), binary);

        Assert.Equal(expected, string.Join(',', messages.Select(m => Convert.ToHexString(m).ToLowerInvariant().Chunk(2).Select(c => new string(c)).Aggregate((a, b) => $"{a}-{b}"))));
    }
}
