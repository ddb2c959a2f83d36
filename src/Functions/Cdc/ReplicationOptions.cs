using Baton.Functions.Settings;

namespace Baton.Functions.Cdc;

/// <summary>How this cluster behaves as a source.</summary>
/// <param name="RefuseWritesWhenSuperseded">
/// Whether it refuses clients' writes once it has learnt that another cluster was promoted in its place: <c>Replication:RefuseWritesWhenSuperseded</c>, default true. Fixed when it learns it.
/// </param>
internal sealed record ReplicationOptions(bool RefuseWritesWhenSuperseded = true)
{
    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is unfit.</exception>
    public static ReplicationOptions From(IConfiguration configuration) => new(configuration.Switch("Replication:RefuseWritesWhenSuperseded", byDefault: true));
}
