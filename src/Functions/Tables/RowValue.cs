using Baton.Core.Api;
using Baton.Storage.Tables;

namespace Baton.Functions.Tables;

/// <summary>The one value of a row.</summary>
internal static class RowValue
{
    /// <summary>Puts the value into the row.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.PayloadTooLarge"/>: it does not fit a row, even compressed.</exception>
    public static void SetValue<T>(this TableEntity row, T value)
    {
        try
        {
            LargeValue.Write(row, value);
        }
        catch (LargeValueTooLongException e)
        {
            throw new ApiException(ApiErrorCode.PayloadTooLarge, $"What was sent takes {e.StoredBytes} bytes to keep, compressed; {LargeValue.MaxStoredBytes} is the limit.");
        }
    }

    /// <summary>The value of the row.</summary>
    /// <exception cref="InvalidDataException">It has none, or a damaged one.</exception>
    public static T GetRequired<T>(this TableEntity row) =>
        LargeValue.Read<T>(row) ?? throw new InvalidDataException($"Row {row.PartitionKey}/{row.RowKey} holds no value.");
}
