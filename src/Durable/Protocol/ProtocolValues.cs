using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace Baton.Durable;

/// <summary>The protocol's untyped values as plain objects and back: null, text, <see cref="double"/>, <see cref="bool"/>, lists, dictionaries.</summary>
internal static class ProtocolValues
{
    /// <summary>All values of a map.</summary>
    public static Dictionary<string, object?> ToPlain(IEnumerable<KeyValuePair<string, Value>> map)
        => map.ToDictionary(static entry => entry.Key, static entry => ToPlain(entry.Value), StringComparer.Ordinal);

    /// <summary>One value.</summary>
    public static object? ToPlain(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.StringValue => value.StringValue,
        Value.KindOneofCase.NumberValue => value.NumberValue,
        Value.KindOneofCase.BoolValue => value.BoolValue,
        Value.KindOneofCase.ListValue => value.ListValue.Values.Select(ToPlain).ToList(),
        Value.KindOneofCase.StructValue => ToPlain(value.StructValue.Fields),
        _ => null,
    };

    /// <summary>One value; what has no form of its own is written as text.</summary>
    public static Value FromPlain(object? plain) => plain switch
    {
        null => Value.ForNull(),
        string text => Value.ForString(text),
        bool flag => Value.ForBool(flag),
        double or float or decimal or int or long or uint or ulong or short or ushort or byte or sbyte
            => Value.ForNumber(Convert.ToDouble(plain, CultureInfo.InvariantCulture)),
        IEnumerable<KeyValuePair<string, object?>> map => Value.ForStruct(new Struct { Fields = { map.ToDictionary(e => e.Key, e => FromPlain(e.Value), StringComparer.Ordinal) } }),
        System.Collections.IEnumerable list => Value.ForList([.. list.Cast<object?>().Select(FromPlain)]),
        _ => Value.ForString(Convert.ToString(plain, CultureInfo.InvariantCulture) ?? string.Empty),
    };
}
