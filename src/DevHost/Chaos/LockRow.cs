using Baton.Core.Broadcasts;
using Baton.Storage;
using Baton.Storage.Tables;

namespace Baton.DevHost.Chaos;

/// <summary>The control plane's lock row, read where it lies: no answer of the API shows it.</summary>
internal static class LockRow
{
    /// <summary>The locks held now; none before the first was ever taken.</summary>
    public static async Task<IReadOnlyList<HeldLock>> ReadAsync(string storageConnectionString, CancellationToken cancellationToken)
    {
        var table = BatonStorage.Open(new StorageOptions { ConnectionString = storageConnectionString }).Tables.GetTableClient("BroadcastTasks");
        var row = await table.GetEntityIfExistsAsync<TableEntity>("locks", "table", cancellationToken: cancellationToken);
        return row.HasValue ? LargeValue.Read<ResourceLocks>(row.Value!)?.Held ?? [] : [];
    }
}
