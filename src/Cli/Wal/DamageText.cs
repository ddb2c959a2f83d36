using System.Globalization;
using Baton.Cli.Text;
using Baton.Storage.Wal;

namespace Baton.Cli.Wal;

/// <summary>A damage as one line.</summary>
internal static class DamageText
{
    /// <summary>Channel, segment, byte, missing LSNs, problem.</summary>
    public static string Of(WalDamage damage) => string.Create(
        CultureInfo.InvariantCulture,
        $"DAMAGE  channel {Printable.Escape(damage.Channel)}  segment {Printable.Escape(damage.Segment)}  byte {damage.Offset}  {Missing(damage)}  {Printable.Escape(damage.Problem)}");

    private static string Missing(WalDamage damage) => damage switch
    {
        { FirstMissingLsn: null } => "no LSN missing",
        { LastMissingLsn: null } => $"LSN {damage.FirstMissingLsn} to the end missing",
        _ when damage.FirstMissingLsn == damage.LastMissingLsn => $"LSN {damage.FirstMissingLsn} missing",
        _ => $"LSN {damage.FirstMissingLsn}-{damage.LastMissingLsn} missing",
    };
}
