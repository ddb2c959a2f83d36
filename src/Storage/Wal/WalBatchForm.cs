using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>In which form readers hand a batch on, so that one way through a log serves both.</summary>
/// <param name="Open">Makes it of a batch's bytes, an array of its own, and its term; throws <see cref="WalFormatException"/> when they are damaged.</param>
/// <param name="FirstLsn">LSN of its first record.</param>
/// <param name="LastLsn">LSN of its last record.</param>
internal sealed record WalBatchForm<T>(Func<byte[], long, T> Open, Func<T, long> FirstLsn, Func<T, long> LastLsn)
    where T : class;

/// <summary>The forms that there are.</summary>
internal static class WalBatchForm
{
    /// <summary>The records.</summary>
    public static WalBatchForm<WalBatch> Decoded { get; } = new(static (bytes, _) => WalBatchCodec.Decode(bytes), static batch => batch.FirstLsn, static batch => batch.LastLsn);

    /// <summary>The bytes, checked but not decoded.</summary>
    public static WalBatchForm<WalRawBatch> Raw { get; } = new(OpenRaw, static batch => batch.FirstLsn, static batch => batch.LastLsn);

    private static WalRawBatch OpenRaw(byte[] bytes, long term)
    {
        var extent = WalBatchExtent.Of(bytes);
        return new WalRawBatch(term, extent.FirstLsn, extent.LastLsn, bytes);
    }
}
