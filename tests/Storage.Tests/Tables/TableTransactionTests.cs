using Baton.Storage.Tables;

namespace Baton.Storage.Tests.Tables;

public sealed class TableTransactionTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    [Fact]
    public async Task All_kinds_of_actions_are_done_together_and_answer_their_etags()
    {
        var table = await azurite.NewTableAsync();
        var etag = (await table.AddEntityAsync(new TableEntity("p", "update") { ["A"] = 1, ["B"] = 1 })).Headers.ETag!.Value;
        await table.AddEntityAsync(new TableEntity("p", "replace") { ["A"] = 1, ["B"] = 1 });
        await table.AddEntityAsync(new TableEntity("p", "delete"));
        await table.AddEntityAsync(new TableEntity("p", "upsert") { ["A"] = 1, ["B"] = 1 });

        var answers = await table.SubmitTransactionAsync(
        [
            new(TableTransactionActionType.Add, new TableEntity("p", "add 'ü%") { ["Text"] = "line\r\n--changeset_x--\r\nHTTP/1.1 500 é" }),
            new(TableTransactionActionType.UpdateMerge, new TableEntity("p", "update") { ["A"] = 2 }, etag),
            new(TableTransactionActionType.UpdateReplace, new TableEntity("p", "replace") { ["A"] = 2 }),
            new(TableTransactionActionType.Delete, new TableEntity("p", "delete")),
            new(TableTransactionActionType.UpsertMerge, new TableEntity("p", "upsert") { ["A"] = 2L }),
            new(TableTransactionActionType.UpsertReplace, new TableEntity("p", "new") { ["A"] = 2 }),
        ]);

        var rows = new Dictionary<string, TableEntity>(StringComparer.Ordinal);
        await foreach (var row in table.QueryAsync<TableEntity>())
        {
            rows.Add(row.RowKey, row);
        }

        Assert.Equal(6, answers.Value.Count);
        Assert.All(answers.Value, answer => Assert.Equal(204, answer.Status));
        Assert.Equal("add 'ü%|new|replace|update|upsert", string.Join('|', rows.Keys.Order(StringComparer.Ordinal)));
        Assert.Equal("line\r\n--changeset_x--\r\nHTTP/1.1 500 é", rows["add 'ü%"].GetString("Text"));
        Assert.Equal((2, 1), (rows["update"].GetInt32("A"), rows["update"].GetInt32("B")));
        Assert.Equal((2, null), (rows["replace"].GetInt32("A"), rows["replace"].GetInt32("B")));
        Assert.Equal((2L, 1), (rows["upsert"].GetInt64("A"), rows["upsert"].GetInt32("B")));
        Assert.Equal(rows["update"].ETag, answers.Value[1].Headers.ETag!.Value);
    }

    [Fact]
    public async Task One_refused_action_undoes_all_and_is_named()
    {
        var table = await azurite.NewTableAsync();
        await table.AddEntityAsync(new TableEntity("p", "there"));

        var failure = await Assert.ThrowsAsync<TableTransactionFailedException>(() => table.SubmitTransactionAsync(
        [
            new(TableTransactionActionType.Add, new TableEntity("p", "a")),
            new(TableTransactionActionType.UpsertReplace, new TableEntity("p", "b")),
            new(TableTransactionActionType.Add, new TableEntity("p", "there")),
        ]));

        Assert.Equal((409, TableErrorCode.EntityAlreadyExists), (failure.Status, failure.ErrorCode));
        Assert.Equal(2, failure.FailedTransactionActionIndex);
        Assert.False((await table.GetEntityIfExistsAsync<TableEntity>("p", "a")).HasValue);
        Assert.False((await table.GetEntityIfExistsAsync<TableEntity>("p", "b")).HasValue);
    }

    [Fact]
    public async Task A_stale_etag_refuses_the_whole_transaction()
    {
        var table = await azurite.NewTableAsync();
        var old = (await table.AddEntityAsync(new TableEntity("p", "r"))).Headers.ETag!.Value;
        await table.UpsertEntityAsync(new TableEntity("p", "r") { ["N"] = 1 });

        var failure = await Assert.ThrowsAsync<TableTransactionFailedException>(() => table.SubmitTransactionAsync(
        [
            new(TableTransactionActionType.Add, new TableEntity("p", "a")),
            new(TableTransactionActionType.UpdateMerge, new TableEntity("p", "r") { ["N"] = 2 }, old),
        ]));

        Assert.Equal((412, TableErrorCode.UpdateConditionNotSatisfied), (failure.Status, failure.ErrorCode));
        Assert.False((await table.GetEntityIfExistsAsync<TableEntity>("p", "a")).HasValue);
    }

    [Fact]
    public async Task What_the_service_would_refuse_unread_is_refused_before_it_is_sent()
    {
        var table = azurite.Open().Tables.GetTableClient("neversent");
        TableTransactionAction Add(string partition, string row) => new(TableTransactionActionType.Add, new TableEntity(partition, row));

        await Assert.ThrowsAsync<ArgumentException>(() => table.SubmitTransactionAsync([]));
        await Assert.ThrowsAsync<ArgumentException>(() => table.SubmitTransactionAsync([Add("p", "a"), Add("q", "b")]));
        await Assert.ThrowsAsync<ArgumentException>(() => table.SubmitTransactionAsync([Add("p", "a"), Add("p", "a")]));
        await Assert.ThrowsAsync<ArgumentException>(() => table.SubmitTransactionAsync(Enumerable.Range(0, 101).Select(n => Add("p", $"{n}"))));
    }
}
