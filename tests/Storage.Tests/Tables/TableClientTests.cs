using Azure;
using Baton.Storage.Tables;

namespace Baton.Storage.Tests.Tables;

public sealed class TableClientTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    [Fact]
    public async Task Creating_a_table_twice_is_no_error()
    {
        var table = azurite.Open().Tables.GetTableClient($"t{Guid.NewGuid():N}");

        var first = await table.CreateIfNotExistsAsync();
        var second = await table.CreateIfNotExistsAsync();

        Assert.Equal([204, 409], [first.Status, second.Status]);
    }

    [Fact]
    public async Task Every_type_comes_back_as_it_was_stored()
    {
        var table = await azurite.NewTableAsync();
        var entity = new TableEntity("p", "r")
        {
            ["Text"] = "a \"quoted\" \\ line\r\n--batch_x--\r\nüñ漢🚀",
            ["Int"] = int.MinValue,
            ["Long"] = long.MaxValue,
            ["SmallLong"] = 7L,
            ["Double"] = 0.1,
            ["WholeDouble"] = 3.0,
            ["NaN"] = double.NaN,
            ["Infinite"] = double.NegativeInfinity,
            ["True"] = true,
            ["Instant"] = new DateTimeOffset(2026, 11, 21, 3, 4, 5, TimeSpan.FromHours(2)).AddTicks(1234567),
            ["Guid"] = Guid.Parse("0f8fad5b-d9cb-469f-a165-70867728950e"),
            ["Bytes"] = new byte[] { 0, 1, 254, 255 },
            ["NoBytes"] = Array.Empty<byte>(),
            ["Empty"] = "",
        };

        await table.AddEntityAsync(entity);
        var read = (await table.GetEntityAsync<TableEntity>("p", "r")).Value;

        Assert.Equal(entity.GetString("Text"), read.GetString("Text"));
        Assert.Equal(int.MinValue, read.GetInt32("Int"));
        Assert.Equal(long.MaxValue, read.GetInt64("Long"));
        Assert.Equal(7L, read.GetInt64("SmallLong"));
        Assert.Equal(0.1, read.GetDouble("Double"));
        Assert.Equal(3.0, read.GetDouble("WholeDouble"));
        Assert.Equal(double.NaN, read.GetDouble("NaN"));
        Assert.Equal(double.NegativeInfinity, read.GetDouble("Infinite"));
        Assert.True(read.GetBoolean("True"));
        Assert.Equal(entity.GetDateTimeOffset("Instant"), read.GetDateTimeOffset("Instant"));
        Assert.Equal(entity.GetGuid("Guid"), read.GetGuid("Guid"));
        Assert.Equal(entity.GetBinary("Bytes"), read.GetBinary("Bytes"));
        Assert.Equal([], read.GetBinary("NoBytes")!);
        Assert.Equal("", read.GetString("Empty"));
        Assert.Null(read.GetString("Missing"));
        Assert.Null(read.GetInt64("Missing"));
        Assert.NotEqual(default, read.ETag);
        Assert.NotNull(read.Timestamp);
    }

    [Fact]
    public async Task A_getter_of_another_type_names_the_property()
    {
        var entity = new TableEntity("p", "r") { ["Count"] = "many" };

        var failure = Assert.Throws<InvalidOperationException>(() => entity.GetInt64("Count"));

        Assert.Contains("'Count'", failure.Message, StringComparison.Ordinal);
        await Task.CompletedTask;
    }

    [Theory]
    [InlineData("it's", "O''Brien'")]
    [InlineData("50%", "%2F%25%")]
    [InlineData("a b+c", "x&y=z;w,v:@!$*()[]{}|^~`<>\"")]
    [InlineData("漢字", "🚀 ümlaut")]
    [InlineData("..", ".")]
    [InlineData("", "")]
    public async Task Keys_of_any_allowed_characters_address_one_entity(string partition, string row)
    {
        var table = await azurite.NewTableAsync();

        await table.AddEntityAsync(new TableEntity(partition, row) { ["N"] = 1 });
        await table.UpsertEntityAsync(new TableEntity(partition, row) { ["N"] = 2 });
        var read = (await table.GetEntityAsync<TableEntity>(partition, row)).Value;
        await table.UpdateEntityAsync(new TableEntity(partition, row) { ["N"] = 3 }, read.ETag, TableUpdateMode.Replace);
        var found = await All(table.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"PartitionKey eq {partition} and RowKey eq {row}")));
        await table.DeleteEntityAsync(partition, row);

        Assert.Equal((partition, row), (read.PartitionKey, read.RowKey));
        Assert.Equal(3, Assert.Single(found).GetInt32("N"));
        Assert.Empty(await All(table.QueryAsync<TableEntity>()));
    }

    [Fact]
    public async Task Adding_an_entity_that_is_there_says_EntityAlreadyExists()
    {
        var table = await azurite.NewTableAsync();
        await table.AddEntityAsync(new TableEntity("p", "r"));

        var failure = await Assert.ThrowsAsync<RequestFailedException>(() => table.AddEntityAsync(new TableEntity("p", "r")));

        Assert.Equal((409, TableErrorCode.EntityAlreadyExists), (failure.Status, failure.ErrorCode));
    }

    [Fact]
    public async Task Reading_what_is_not_there_says_ResourceNotFound_and_IfExists_has_no_value()
    {
        var table = await azurite.NewTableAsync();

        var failure = await Assert.ThrowsAsync<RequestFailedException>(() => table.GetEntityAsync<TableEntity>("p", "r"));
        var nothing = await table.GetEntityIfExistsAsync<TableEntity>("p", "r");

        Assert.Equal((404, TableErrorCode.ResourceNotFound), (failure.Status, failure.ErrorCode));
        Assert.False(nothing.HasValue);
        Assert.Throws<InvalidOperationException>(() => nothing.Value);
    }

    [Fact]
    public async Task A_missing_table_is_an_error_even_for_IfExists()
    {
        var table = azurite.Open().Tables.GetTableClient("nosuchtable");

        var read = await Assert.ThrowsAsync<RequestFailedException>(() => table.GetEntityIfExistsAsync<TableEntity>("p", "r"));
        var add = await Assert.ThrowsAsync<RequestFailedException>(() => table.AddEntityAsync(new TableEntity("p", "r")));

        Assert.Equal(TableErrorCode.TableNotFound, read.ErrorCode);
        Assert.Equal(TableErrorCode.TableNotFound, add.ErrorCode);
    }

    [Fact]
    public async Task A_conditional_update_of_an_older_version_is_refused_and_changes_nothing()
    {
        var table = await azurite.NewTableAsync();
        var added = await table.AddEntityAsync(new TableEntity("p", "r") { ["N"] = 1 });
        var updated = await table.UpdateEntityAsync(new TableEntity("p", "r") { ["N"] = 2 }, added.Headers.ETag!.Value);

        var failure = await Assert.ThrowsAsync<RequestFailedException>(() => table.UpdateEntityAsync(new TableEntity("p", "r") { ["N"] = 3 }, added.Headers.ETag!.Value));

        var read = (await table.GetEntityAsync<TableEntity>("p", "r")).Value;
        Assert.Equal((412, TableErrorCode.UpdateConditionNotSatisfied), (failure.Status, failure.ErrorCode));
        Assert.Equal(2, read.GetInt32("N"));
        Assert.Equal(updated.Headers.ETag!.Value, read.ETag);
    }

    [Fact]
    public async Task Merge_keeps_what_it_does_not_name_and_replace_drops_it()
    {
        var table = await azurite.NewTableAsync();
        await table.AddEntityAsync(new TableEntity("p", "r") { ["A"] = 1, ["B"] = 2L });

        await table.UpdateEntityAsync(new TableEntity("p", "r") { ["A"] = 3 }, ETag.All);
        var merged = (await table.GetEntityAsync<TableEntity>("p", "r")).Value;
        await table.UpsertEntityAsync(new TableEntity("p", "r") { ["A"] = 4 }, TableUpdateMode.Replace);
        var replaced = (await table.GetEntityAsync<TableEntity>("p", "r")).Value;

        Assert.Equal((3, 2L), (merged.GetInt32("A"), merged.GetInt64("B")));
        Assert.Equal((4, null), (replaced.GetInt32("A"), replaced.GetInt64("B")));
    }

    [Fact]
    public async Task An_update_of_what_is_not_there_is_refused()
    {
        var table = await azurite.NewTableAsync();

        var failure = await Assert.ThrowsAsync<RequestFailedException>(() => table.UpdateEntityAsync(new TableEntity("p", "r"), ETag.All));

        Assert.Equal(404, failure.Status);
        await Assert.ThrowsAsync<ArgumentException>(() => table.UpdateEntityAsync(new TableEntity("p", "r"), default));
    }

    [Fact]
    public async Task A_delete_of_an_older_version_is_refused_and_of_nothing_is_no_error()
    {
        var table = await azurite.NewTableAsync();
        var old = (await table.AddEntityAsync(new TableEntity("p", "r"))).Headers.ETag!.Value;
        await table.UpsertEntityAsync(new TableEntity("p", "r") { ["N"] = 1 });

        var failure = await Assert.ThrowsAsync<RequestFailedException>(() => table.DeleteEntityAsync("p", "r", old));
        var deleted = await table.DeleteEntityAsync("p", "r");
        var again = await table.DeleteEntityAsync("p", "r");

        Assert.Equal(412, failure.Status);
        Assert.Equal([204, 404], [deleted.Status, again.Status]);
    }

    [Fact]
    public async Task A_query_goes_on_over_every_page_in_key_order()
    {
        var table = await azurite.NewTableAsync();
        foreach (var hundred in Enumerable.Range(0, 12))
        {
            // Keys that need escaping, so that the continuation carries them too.
            await table.SubmitTransactionAsync(Enumerable.Range(hundred * 100, 100)
                .Select(n => new TableTransactionAction(TableTransactionActionType.Add, new TableEntity("p'é %", $"r {n:D5}'%") { ["N"] = n })));
        }

        var all = await All(table.QueryAsync<TableEntity>());
        var some = await All(table.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"N ge {100} and N lt {1150}"), maxPerPage: 400, select: ["N"]));
        var pages = new List<Page<TableEntity>>();
        await foreach (var page in table.QueryAsync<TableEntity>(maxPerPage: 500).AsPages())
        {
            pages.Add(page);
        }

        var resumed = new List<TableEntity>();
        await foreach (var page in table.QueryAsync<TableEntity>().AsPages(pages[0].ContinuationToken))
        {
            resumed.AddRange(page.Values);
        }

        Assert.Equal(Enumerable.Range(0, 1200), all.Select(e => e.GetInt32("N")!.Value));
        Assert.Equal(Enumerable.Range(100, 1050), some.Select(e => e.GetInt32("N")!.Value));
        Assert.Equal([500, 500, 200], pages.Select(p => p.Values.Count));
        Assert.Equal(Enumerable.Range(500, 700), resumed.Select(e => e.GetInt32("N")!.Value));
    }

    [Fact]
    public async Task Filters_quote_every_type()
    {
        var table = await azurite.NewTableAsync();
        var guid = Guid.NewGuid();
        var instant = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        await table.AddEntityAsync(new TableEntity("p", "r")
        {
            ["S"] = "it's' or 1 eq 1",
            ["L"] = 1L << 40,
            ["D"] = 2.0,
            ["B"] = true,
            ["T"] = instant,
            ["G"] = guid,
        });
        await table.AddEntityAsync(new TableEntity("p", "other"));

        foreach (var filter in new FormattableString[] { $"S eq {"it's' or 1 eq 1"}", $"L eq {1L << 40}", $"D eq {2.0}", $"B eq {true}", $"T eq {instant}", $"G eq {guid}" })
        {
            Assert.Equal("r", Assert.Single(await All(table.QueryAsync<TableEntity>(TableClient.CreateQueryFilter(filter)))).RowKey);
        }

        Assert.Throws<NotSupportedException>(() => TableClient.CreateQueryFilter($"S eq {null}"));
    }

    [Fact]
    public async Task Select_limits_what_is_read_and_keeps_the_version()
    {
        var table = await azurite.NewTableAsync();
        await table.AddEntityAsync(new TableEntity("p", "r") { ["A"] = 1L, ["B"] = "x" });

        var read = (await table.GetEntityAsync<TableEntity>("p", "r", ["A"])).Value;

        Assert.Equal((1L, null), (read.GetInt64("A"), read.GetString("B")));
        Assert.NotEqual(default, read.ETag);
    }

    private static async Task<List<T>> All<T>(AsyncPageable<T> query)
        where T : notnull
    {
        var all = new List<T>();
        await foreach (var item in query)
        {
            all.Add(item);
        }

        return all;
    }
}
