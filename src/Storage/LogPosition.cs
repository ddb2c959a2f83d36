using System.Runtime.InteropServices;

namespace Baton.Storage;

/// <summary>A record of a log, told so that another log can say whether it has the same one.</summary>
/// <param name="Lsn">Its LSN; 0 for none, then the rest is 0 too.</param>
/// <param name="Term">The term under which it was written.</param>
/// <param name="Crc"><see cref="Core.Wal.WalRecordChecksum"/> of it.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct LogPosition(long Lsn, long Term, uint Crc);
