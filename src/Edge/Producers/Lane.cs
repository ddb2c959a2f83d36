using System.Globalization;

namespace Baton.Edge.Producers;

/// <summary>A producer of the gateway's own, taken by one append. Its sequences only rise.</summary>
public sealed class Lane(string id, ChannelLanes owner) : IDisposable
{
    private long _sequence;

    /// <summary>The stamp of the append that has it, as the header carries it; the same however often the append is sent.</summary>
    public string Stamp { get; private set; } = "";

    /// <summary>Gives it back.</summary>
    public void Dispose() => owner.GiveBack(this);

    /// <summary>Goes on to the next append's sequence.</summary>
    internal Lane Next()
    {
        Stamp = string.Create(CultureInfo.InvariantCulture, $"{id};{++_sequence}");
        return this;
    }
}
