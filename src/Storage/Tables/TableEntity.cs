using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Azure;

namespace Baton.Storage.Tables;

/// <summary>A row: its two keys, its ETag, and properties by name.</summary>
/// <remarks>Values are <see cref="string"/>, <see cref="int"/>, <see cref="long"/>, <see cref="double"/>, <see cref="bool"/>, <see cref="DateTimeOffset"/>,
/// <see cref="Guid"/> and byte arrays. A null is not stored.</remarks>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "The official client's name.")]
public class TableEntity : IDictionary<string, object>
{
    private const string PartitionKeyName = "PartitionKey";
    private const string RowKeyName = "RowKey";
    private const string TimestampName = "Timestamp";
    internal const string ETagName = "odata.etag";

    private readonly Dictionary<string, object> _properties = new(StringComparer.Ordinal);

    /// <summary>An entity without keys.</summary>
    public TableEntity()
    {
    }

    /// <summary>An entity with keys.</summary>
    public TableEntity(string partitionKey, string rowKey)
    {
        PartitionKey = partitionKey;
        RowKey = rowKey;
    }

    /// <summary>An entity with the properties, keys included, of <paramref name="values"/>.</summary>
    public TableEntity(IDictionary<string, object> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        foreach (var (name, value) in values)
        {
            this[name] = value;
        }
    }

    /// <summary>Entities of one partition can be changed together.</summary>
    public string PartitionKey
    {
        get => GetString(PartitionKeyName)!;
        set => this[PartitionKeyName] = value;
    }

    /// <summary>Unique within the partition.</summary>
    public string RowKey
    {
        get => GetString(RowKeyName)!;
        set => this[RowKeyName] = value;
    }

    /// <summary>When the service last changed it (UTC).</summary>
    public DateTimeOffset? Timestamp
    {
        get => GetDateTimeOffset(TimestampName);
        set => Set(TimestampName, value);
    }

    /// <summary>The version that was read.</summary>
    public ETag ETag
    {
        get => GetString(ETagName) is { } text ? new ETag(text) : default;
        set => Set(ETagName, value == default ? null : value.ToString());
    }

    /// <summary>The names, keys and metadata included.</summary>
    public ICollection<string> Keys => _properties.Keys;

    /// <summary>How many there are, keys and metadata included.</summary>
    public int Count => _properties.Count;

    ICollection<object> IDictionary<string, object>.Values => _properties.Values;

    bool ICollection<KeyValuePair<string, object>>.IsReadOnly => false;

    /// <summary>A property. Reading one that is missing gives null; setting null takes it away.</summary>
    public object this[string key]
    {
        get => _properties.GetValueOrDefault(key)!;
        set => Set(key, value);
    }

    /// <summary>A text, or null when missing.</summary>
    /// <exception cref="InvalidOperationException">It has another type. So do the other getters.</exception>
    public string? GetString(string key) => Get<string>(key);

    /// <summary>Bytes, or null when missing.</summary>
    public byte[]? GetBinary(string key) => Get<byte[]>(key);

    /// <summary>A bool, or null when missing.</summary>
    public bool? GetBoolean(string key) => GetValue<bool>(key);

    /// <summary>An instant, or null when missing.</summary>
    public DateTimeOffset? GetDateTimeOffset(string key) => GetValue<DateTimeOffset>(key);

    /// <summary>A number, or null when missing. The service may answer a whole number without its fraction.</summary>
    public double? GetDouble(string key) => _properties.GetValueOrDefault(key) is int whole ? whole : GetValue<double>(key);

    /// <summary>A guid, or null when missing.</summary>
    public Guid? GetGuid(string key) => GetValue<Guid>(key);

    /// <summary>A 32-bit number, or null when missing.</summary>
    public int? GetInt32(string key) => GetValue<int>(key);

    /// <summary>A 64-bit number, or null when missing.</summary>
    public long? GetInt64(string key) => _properties.GetValueOrDefault(key) is int small ? small : GetValue<long>(key);

    /// <summary>Adds a property that is not there yet.</summary>
    public void Add(string key, object value)
    {
        if (value is not null)
        {
            _properties.Add(key, value);
        }
    }

    /// <summary>Whether it is there.</summary>
    public bool ContainsKey(string key) => _properties.ContainsKey(key);

    /// <summary>Takes it away.</summary>
    public bool Remove(string key) => _properties.Remove(key);

    /// <summary>Gets it if it is there.</summary>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out object value) => _properties.TryGetValue(key, out value);

    /// <summary>Takes all away.</summary>
    public void Clear() => _properties.Clear();

    /// <summary>Names and values, keys and metadata included.</summary>
    public IEnumerator<KeyValuePair<string, object>> GetEnumerator() => _properties.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    void ICollection<KeyValuePair<string, object>>.Add(KeyValuePair<string, object> item) => Add(item.Key, item.Value);

    bool ICollection<KeyValuePair<string, object>>.Contains(KeyValuePair<string, object> item) => ((ICollection<KeyValuePair<string, object>>)_properties).Contains(item);

    void ICollection<KeyValuePair<string, object>>.CopyTo(KeyValuePair<string, object>[] array, int arrayIndex) =>
        ((ICollection<KeyValuePair<string, object>>)_properties).CopyTo(array, arrayIndex);

    bool ICollection<KeyValuePair<string, object>>.Remove(KeyValuePair<string, object> item) => ((ICollection<KeyValuePair<string, object>>)_properties).Remove(item);

    private void Set(string key, object? value)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (value is null)
        {
            _properties.Remove(key);
        }
        else
        {
            _properties[key] = value;
        }
    }

    private T? Get<T>(string key)
        where T : class => _properties.GetValueOrDefault(key) switch
        {
            null => null,
            T value => value,
            var other => throw WrongType(key, typeof(T), other),
        };

    private T? GetValue<T>(string key)
        where T : struct => _properties.GetValueOrDefault(key) switch
        {
            null => null,
            T value => value,
            var other => throw WrongType(key, typeof(T), other),
        };

    private static InvalidOperationException WrongType(string key, Type wanted, object value) => new($"Property '{key}' is a {value.GetType().Name}, not a {wanted.Name}.");
}
