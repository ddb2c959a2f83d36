using System.Security.Cryptography;
using System.Text;

namespace Baton.Storage.Tables;

/// <summary>Name and key of a storage account. The key can be used, never read back.</summary>
public sealed class TableSharedKeyCredential
{
    private readonly byte[] _key;

    /// <summary>Takes the account's name and its base64 key.</summary>
    /// <exception cref="ArgumentException">The name is empty or the key is not base64. The message never holds the key.</exception>
    public TableSharedKeyCredential(string accountName, string accountKey)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(accountName);
        ArgumentException.ThrowIfNullOrWhiteSpace(accountKey);
        AccountName = accountName;
        var key = new byte[accountKey.Length];

        // Try, not Parse: nothing of a mistyped key may reach a log, not even through an inner exception.
        _key = Convert.TryFromBase64String(accountKey, key, out var length)
            ? key[..length]
            : throw new ArgumentException("The account key is not base64.", nameof(accountKey));
    }

    /// <summary>The account.</summary>
    public string AccountName { get; }

    /// <summary>Base64 of the HMAC-SHA256 of <paramref name="text"/>.</summary>
    internal string Sign(string text) => Convert.ToBase64String(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(text)));
}
