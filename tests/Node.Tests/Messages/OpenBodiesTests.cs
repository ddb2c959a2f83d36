using Baton.Core.Wal;
using Baton.Node.Messages;
using Baton.Storage.Wal;

namespace Baton.Node.Tests.Messages;

public sealed class OpenBodiesTests
{
    [Fact]
    public void What_is_kept_of_a_transaction_does_not_keep_the_batch_that_it_came_in()
    {
        var batch = new byte[4 * 1024 * 1024];
        batch[10] = 7;
        var open = new OpenBodies(maxBytes: 100);
        open.Take(Entry(1, WalRecordType.TxnBegin, default));
        open.Take(Entry(2, WalRecordType.TxnBody, batch.AsMemory(10, 1)));
        batch[10] = 8;

        var body = Assert.Single(open.Commit(new WalEntry(3, 1, new WalRecord { Type = WalRecordType.TxnCommit, TimeTick = 3, TxnId = 5, TxnBeginLsn = 1 }))!);

        Assert.Equal([7], body.Record.Payload.ToArray());
    }

    private static WalEntry Entry(long lsn, WalRecordType type, ReadOnlyMemory<byte> payload) => new(lsn, 1, new WalRecord { Type = type, TimeTick = lsn, TxnId = 5, Payload = payload });
}
