using System.Text;
using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.DevHost.Chaos.Load;

namespace Baton.DevHost.Chaos.Checks;

/// <summary>Whether a channel's readers see what its writers were told: every acknowledged write once and where it was acknowledged, transactions whole and together, and nothing that was taken back.</summary>
public static class AcknowledgedCheck
{
    /// <summary>Compares a channel with what its writers know.</summary>
    /// <param name="recorder">What they know.</param>
    /// <param name="channel">The channel.</param>
    /// <param name="visible">Its records with isolation committed, in order.</param>
    /// <returns>What is wrong; nothing where all is well.</returns>
    public static IReadOnlyList<string> Check(Recorder recorder, string channel, IReadOnlyList<ReadMessage> visible)
    {
        ArgumentNullException.ThrowIfNull(recorder);
        ArgumentNullException.ThrowIfNull(visible);
        var places = visible
            .Select((m, place) => (Message: m, Place: place))
            .Where(p => p.Message.Type is WalRecordType.Message or WalRecordType.TxnBody)
            .ToLookup(p => Encoding.UTF8.GetString(p.Message.Payload), StringComparer.Ordinal);
        return
        [
            .. recorder.Messages.Where(m => m.Channel == channel).Select(m => Check(m, [.. places[m.Text]])).OfType<string>(),
            .. recorder.Transactions.Where(t => t.Channel == channel).Select(t => Check(t, [.. t.Texts.SelectMany(text => places[text])])).OfType<string>(),
        ];
    }

    private static string? Check(RecordedMessage message, IReadOnlyList<(ReadMessage Message, int Place)> found) => (message.Written, found.Count) switch
    {
        (Written.Surely, 0) => $"{message.Channel}: {message.Text}, acknowledged at LSN {message.Lsn}, is not there",
        (_, > 1) => $"{message.Channel}: {message.Text} is there {found.Count} times",
        (Written.Never, 1) => $"{message.Channel}: {message.Text} is there and must not be",
        (Written.Surely, 1) when found[0].Message.Lsn != message.Lsn => $"{message.Channel}: {message.Text}, acknowledged at LSN {message.Lsn}, is at LSN {found[0].Message.Lsn}",
        _ => null,
    };

    private static string? Check(RecordedTransaction transaction, IReadOnlyList<(ReadMessage Message, int Place)> found)
    {
        var name = $"{transaction.Channel}: transaction {transaction.TxnId}";
        if (found.Count == 0)
        {
            return transaction.Written == Written.Surely ? $"{name}, whose commit was acknowledged, is not there" : null;
        }

        if (transaction.Written == Written.Never)
        {
            return $"{name}, which was never committed, is visible";
        }

        if (found.Count != transaction.Texts.Count)
        {
            return $"{name} has {transaction.Texts.Count} messages, and {found.Count} are visible";
        }

        var together = found.Zip(found.Skip(1)).All(p => p.Second.Place == p.First.Place + 1 && p.Second.Message.CommitLsn == p.First.Message.CommitLsn);
        return together && found.All(f => f.Message.TxnId == transaction.TxnId) ? null : $"{name} is visible in pieces or out of order";
    }
}
