namespace Baton.Functions.Settings;

/// <summary>Which cluster this control plane is, and how it shows its nodes that it is the one.</summary>
/// <param name="Id">Id of the cluster: setting <c>Cluster:Id</c>.</param>
/// <param name="Secret">Bearer of every call to a node: setting <c>Cluster:Secret</c>.</param>
/// <param name="ReplicationSecret">
/// Bearer of the cluster that replicates to this one: setting <c>Cluster:ReplicationSecret</c>, the token of this cluster in the replicate configuration. Null: nobody can ask with it.
/// </param>
internal sealed record ClusterOptions(string Id, string Secret, string? ReplicationSecret = null)
{
    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is missing or unfit.</exception>
    public static ClusterOptions From(IConfiguration configuration) =>
        new(configuration.RequiredId("Cluster:Id"), configuration.RequiredSecret("Cluster:Secret"), configuration.OptionalSecret("Cluster:ReplicationSecret"));

    /// <summary>Without the secrets: options get logged.</summary>
    public override string ToString() => $"cluster {Id}";
}
