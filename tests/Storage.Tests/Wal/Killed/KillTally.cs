namespace Baton.KilledWriters;

/// <summary>What all kills came to.</summary>
internal sealed class KillTally
{
    public int Kills { get; set; }

    /// <summary>Of all kills, those before the writer had the channel.</summary>
    public int WhileOpening { get; set; }

    public int Channels { get; set; }

    public int Acknowledged { get; set; }

    public int Records { get; set; }

    public int Unacknowledged { get; set; }

    public int Lost { get; set; }

    public int Twice { get; set; }

    public int Torn { get; set; }

    /// <summary>Segments in the manifests.</summary>
    public int Segments { get; set; }

    /// <summary>Segments that a killed writer had begun and that are in no manifest: it died within an opening or a roll.</summary>
    public int SegmentsAbandoned { get; set; }

    public List<string> Problems { get; } = [];
}
