using System.Text.Json;
using Baton.Testing;

namespace Baton.Cli.Tests;

/// <summary>The program <c>baton</c>, run as a process against a real storage service.</summary>
public sealed class WalCommandTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private readonly string _account = azurite.NewAccount();

    private BatonProgram Baton => new(_account);

    [Fact]
    public async Task Verify_finds_every_channel_and_calls_undamaged_ones_clean()
    {
        await WrittenLog.CreateAsync(_account, "orders", inSealed: 3, inOpen: 2);
        await WrittenLog.CreateAsync(_account, "odd[red]name", inSealed: 1, inOpen: 0);

        var run = await Baton.RunAsync("wal", "verify");

        Assert.Equal((0, string.Empty), (run.ExitCode, run.Error));
        Assert.Single(run.Lines, l => l.Contains("orders", StringComparison.Ordinal) && l.Contains("1-5", StringComparison.Ordinal) && l.Contains("clean", StringComparison.Ordinal));
        Assert.Single(run.Lines, l => l.Contains("odd[red]name", StringComparison.Ordinal) && l.Contains("clean", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Verify_reports_each_damage_with_its_place_and_what_is_missing()
    {
        var log = await WrittenLog.CreateAsync(_account, "orders", inSealed: 5, inOpen: 3);
        var (first, second) = (await log.PlaceAsync(2), await log.PlaceAsync(4));
        await log.DamageAsync(2);
        await log.DamageAsync(4);
        await WrittenLog.CreateAsync(_account, "whole", inSealed: 1, inOpen: 1);

        var run = await Baton.RunAsync("wal", "verify");

        var blob = first.Segment.BlobName("orders");
        Assert.Equal(1, run.ExitCode);
        Assert.Collection(
            run.Lines.Where(l => l.StartsWith("DAMAGE", StringComparison.Ordinal)),
            l => Assert.StartsWith($"DAMAGE  channel orders  segment {blob}  byte {first.Offset}  LSN 2 missing  ", l, StringComparison.Ordinal),
            l => Assert.StartsWith($"DAMAGE  channel orders  segment {blob}  byte {second.Offset}  LSN 4 missing  ", l, StringComparison.Ordinal));
        Assert.Equal(0, (await Baton.RunAsync("wal", "verify", "whole")).ExitCode);
    }

    [Fact]
    public async Task Dump_prints_each_record_in_order_and_damage_in_its_place()
    {
        var log = await WrittenLog.CreateAsync(_account, "orders", inSealed: 4, inOpen: 2);
        await log.DamageAsync(3);

        var run = await Baton.RunAsync("wal", "dump", "orders");

        Assert.Equal(1, run.ExitCode);
        Assert.Collection(
            run.Lines,
            l => Assert.Equal("1  term 1  Message  2025-11-21T10:13:20.000Z+0  vchannel \"v1\"  txn -  broadcast -  key \"key-1\"  9 B  \"payload 1\"", l),
            l => Assert.StartsWith("2  term 1", l, StringComparison.Ordinal),
            l => Assert.Contains("LSN 3 missing", l, StringComparison.Ordinal),
            l => Assert.StartsWith("4  term 1", l, StringComparison.Ordinal),
            l => Assert.StartsWith("5  term 2", l, StringComparison.Ordinal),
            l => Assert.StartsWith("6  term 2", l, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Dump_as_json_gives_one_object_a_line_with_whole_payloads_and_damage()
    {
        var log = await WrittenLog.CreateAsync(_account, "orders", inSealed: 4, inOpen: 2);
        await log.DamageAsync(3);

        var run = await Baton.RunAsync("wal", "dump", "orders", "--json");

        Assert.Equal(1, run.ExitCode);
        var objects = run.Lines.Select(l => JsonSerializer.Deserialize<JsonElement>(l)).ToList();
        var damage = Assert.Single(objects, o => o.TryGetProperty("damage", out _)).GetProperty("damage");
        Assert.Equal((3, 3, "orders"), (damage.GetProperty("firstMissingLsn").GetInt32(), damage.GetProperty("lastMissingLsn").GetInt32(), damage.GetProperty("channel").GetString()));
        foreach (var record in objects.Where(o => !o.TryGetProperty("damage", out _)))
        {
            var written = log.Records[record.GetProperty("lsn").GetInt32() - 1];
            Assert.Equal(written.Payload.ToArray(), record.GetProperty("payload").GetBytesFromBase64());
            Assert.Equal((written.Key, written.TimeTick), (record.GetProperty("key").GetString(), record.GetProperty("timeTick").GetInt64()));
        }

        Assert.Equal(6, objects.Count);
    }

    [Theory]
    [InlineData("2,3,4,5,6", "--from", "2")]
    [InlineData("1,2", "--max", "2")]
    [InlineData("3,4,5", "--from", "3", "--to", "5")]
    [InlineData("5", "--from", "5", "--max", "1", "--payload", "hex")]
    public async Task Dump_prints_only_what_was_asked_for(string lsns, params string[] options)
    {
        await WrittenLog.CreateAsync(_account, "orders", inSealed: 4, inOpen: 2);

        var run = await Baton.RunAsync(["wal", "dump", "orders", .. options]);

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(lsns, string.Join(',', run.Lines.Select(l => l[..l.IndexOf(' ', StringComparison.Ordinal)])));
    }

    [Fact]
    public async Task Dump_lets_no_payload_forge_lines_or_steer_the_terminal()
    {
        var log = new WrittenLog(_account, "orders");
        await log.WriteAsync(1, [WrittenLog.Message("k\r\n2  term 9", "\e[2J\nDAMAGE  \u202Echannel \"[red]x[/]")]);

        var text = await Baton.RunAsync("wal", "dump", "orders");
        var json = await Baton.RunAsync("wal", "dump", "orders", "--json");

        var line = Assert.Single(text.Lines);
        Assert.Contains("key \"k\\u000D\\u000A2  term 9\"", line, StringComparison.Ordinal);
        Assert.EndsWith("\"\\u001B[2J\\u000ADAMAGE  \\u202Echannel \\\"[red]x[/]\"", line, StringComparison.Ordinal);
        Assert.DoesNotContain(line, char.IsControl);
        Assert.DoesNotContain(Assert.Single(json.Lines), char.IsControl);
    }

    [Fact]
    public async Task Dump_ends_quietly_when_nobody_reads_on()
    {
        var log = new WrittenLog(_account, "orders");
        await log.WriteAsync(1, [.. Enumerable.Range(1, 5_000).Select(i => WrittenLog.Message($"key-{i}", new string('x', 60)))]);

        var run = await Baton.RunUntilFirstLineAsync("wal", "dump", "orders");

        Assert.Equal((0, string.Empty), (run.ExitCode, run.Error));
        Assert.StartsWith("1  term 1", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_that_nobody_reads_to_the_end_does_not_call_clean_what_it_has_not_looked_at()
    {
        for (var n = 0; n < 20; n++)
        {
            await WrittenLog.CreateAsync(_account, $"orders-{n:D2}", inSealed: 1, inOpen: 1);
        }

        await (await WrittenLog.CreateAsync(_account, "zebras", inSealed: 3, inOpen: 1)).DamageAsync(2);

        var run = await Baton.RunUntilFirstLineAsync("wal", "verify");

        Assert.Equal((2, string.Empty), (run.ExitCode, run.Error));
    }

    [Fact]
    public async Task An_output_that_cannot_be_written_is_told_in_a_sentence()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        await WrittenLog.CreateAsync(_account, "orders", inSealed: 1, inOpen: 1);

        foreach (var command in new[] { "verify", "dump", "history" })
        {
            var run = await Baton.RunOnFullDiskAsync("wal", command, "orders");

            Assert.Equal(2, run.ExitCode);
            Assert.StartsWith("The output could not be written: ", run.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task History_shows_what_is_kept()
    {
        var log = await WrittenLog.CreateAsync(_account, "orders", inSealed: 3, inOpen: 2);
        var segments = (await log.ManifestAsync()).Segments;

        var run = await Baton.RunAsync("wal", "history", "orders");

        Assert.Equal((0, string.Empty), (run.ExitCode, run.Error));
        Assert.Equal(("node-1", "1", "5", "none"), (Cells(run, "owner")[1], Cells(run, "first available LSN")[1], Cells(run, "head LSN")[1], Cells(run, "snapshot LSN")[1]));
        Assert.Equal(["1", "1-3", $"{segments[0].LengthBytes}"], Cells(run, segments[0].BlobName("orders"))[1..4]);
        Assert.Equal(["2", "4-5"], Cells(run, segments[1].BlobName("orders"))[1..3]);
        Assert.Equal("open", Cells(run, segments[1].BlobName("orders"))[4]);
    }

    [Theory]
    [InlineData("wal", "verify", "orders", "nobody")]
    [InlineData("wal", "dump", "nobody")]
    [InlineData("wal", "history", "nobody")]
    public async Task A_channel_that_is_not_there_cannot_be_looked_at(params string[] arguments)
    {
        await WrittenLog.CreateAsync(_account, "orders", inSealed: 1, inOpen: 1);

        var run = await Baton.RunAsync(arguments);

        Assert.Equal((2, string.Empty), (run.ExitCode, run.Output));
        Assert.Contains("'nobody' has no log", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_account_without_logs_is_no_clean_result()
    {
        var run = await Baton.RunAsync("wal", "verify");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("No channel has a log", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wal", "dump")]
    [InlineData("wal", "dump", "orders", "--from", "5", "--to", "4")]
    [InlineData("wal", "dump", "orders", "--max", "0")]
    [InlineData("wal", "dump", "orders", "--from", "x")]
    [InlineData("wal", "dump", "a/b")]
    [InlineData("wal", "verify", "--nonsense")]
    [InlineData("wal", "verify", "--blob-uri", "here")]
    public async Task Bad_arguments_are_told_and_nothing_is_looked_at(params string[] arguments)
    {
        var run = await Baton.RunAsync(arguments);

        Assert.Equal((2, string.Empty), (run.ExitCode, run.Output));
        Assert.NotEmpty(run.Error);
    }

    [Fact]
    public async Task A_storage_account_that_is_not_there_cannot_be_looked_at_and_its_key_is_not_shown()
    {
        var key = _account.Split(';').Single(p => p.StartsWith("AccountKey", StringComparison.Ordinal));
        var nowhere = $"DefaultEndpointsProtocol=http;AccountName=none;{key};BlobEndpoint=http://127.0.0.1:1/none;TableEndpoint=http://127.0.0.1:1/none";

        foreach (var run in new[]
        {
            await Baton.RunAsync(environment: null, ["wal", "verify"]),
            await Baton.RunAsync(environment: null, ["wal", "verify", "--connection-string", nowhere]),
            await Baton.RunAsync(nowhere, ["wal", "history", "orders"]),
            await Baton.RunAsync($"AccountName=none;{key};nonsense", ["wal", "dump", "orders"]),
            await Baton.RunAsync(environment: null, ["wal", "history", nowhere, key]),
        })
        {
            Assert.Equal((2, string.Empty), (run.ExitCode, run.Output));
            Assert.NotEmpty(run.Error);
        }
    }

    private static string[] Cells(BatonRun run, string first) =>
        run.Lines.Select(l => l.Split('│', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).Single(c => c.Length > 1 && c[0] == first);
}
