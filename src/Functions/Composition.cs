using Baton.Edge.Connections;
using Baton.Functions.Broadcasts;
using Baton.Functions.Cdc;
using Baton.Functions.Channels;
using Baton.Functions.Failover;
using Baton.Functions.ForcedPromotion;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
using Baton.Functions.Rebalance;
using Baton.Functions.Reconcile;
using Baton.Functions.Recovery;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Settings;
using Baton.Functions.Switchover;
using Baton.Functions.Tables;
using Baton.Functions.Telemetry;
using Baton.Functions.Timeline;
using Baton.Functions.Topology;
using Baton.Storage;
using Baton.Storage.Wal;

namespace Baton.Functions;

/// <summary>What the functions are made of.</summary>
internal static class Composition
{
    /// <summary>Registers the capabilities of the control plane with their settings.</summary>
    /// <exception cref="InvalidSettingException">A setting is missing or unfit.</exception>
    public static IServiceCollection AddCapabilities(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(ClusterOptions.From(configuration));
        services.AddSingleton(ForceUpdateOptions.From(configuration));
        services.AddSingleton(FailoverOptions.From(configuration));
        services.AddSingleton(ReconcileOptions.From(configuration));
        services.AddSingleton(PlacementOptions.From(configuration));
        services.AddSingleton(RecoveryOptions.From(configuration));
        services.AddSingleton(ReplicationOptions.From(configuration));
        services.AddSingleton(LongPollOptions.From(configuration));
        services.AddSingleton(TombstoneOptions.From(configuration));

        // Started first and stopped last: what is counted while the app stops goes out too.
        if (MetricsExport.EndpointFrom(configuration) is { } collector)
        {
            services.AddHostedService(s => new MetricsExport(collector, s.GetRequiredService<ClusterOptions>()));
        }

        services.AddSingleton(BatonStorage.Open(configuration.GetSection("Storage").Get<StorageOptions>() ?? new StorageOptions()));
        services.AddSingleton<ControlPlaneTables>();
        services.AddHostedService(s => s.GetRequiredService<ControlPlaneTables>());
        services.AddHostedService<Rehearsal>();

        services.AddSingleton(NodeHttp());
        services.AddSingleton<NodeClient>();

        services.AddSingleton<ReplicateConfigurationStore>();
        services.AddSingleton<ConfigurationCallback>();
        services.AddSingleton<CdcTaskStore>();
        services.AddSingleton<ClusterStateStore>();
        services.AddSingleton<ClusterStateWatcher>();
        services.AddSingleton<HeartbeatStore>();
        services.AddSingleton<Listening>();
        services.AddSingleton<CircuitStore>();
        services.AddSingleton<NodeReconciler>();
        services.AddSingleton<ReconcileRequests>();
        services.AddSingleton<OperationStore>();
        services.AddSingleton<OperationStarter>();
        services.AddSingleton<OperationWait>();
        services.AddSingleton<IGivenUp, RemovalGivenUp>();
        services.AddSingleton<IGivenUp, RebalanceGivenUp>();
        services.AddSingleton<ReplicaRepair>();
        services.AddSingleton<RebalanceCancellation>();
        services.AddSingleton<RebalanceWatch>();
        services.AddSingleton<TombstoneStore>();
        services.AddSingleton<BroadcastStore>();
        services.AddSingleton<LockStore>();
        services.AddSingleton<CallbackTurns>();
        services.AddSingleton<TimelineStore>();
        services.AddSingleton<NodeFailover>();
        services.AddSingleton<LateReports>();
        services.AddSingleton<OpenHints>();
        services.AddSingleton<FastPath>();
        services.AddSingleton<SwitchoverTarget>();
        services.AddSingleton<ChannelControl>();
        services.AddSingleton(s => new WalStore(s.GetRequiredService<BatonStorage>(), new WalOptions(), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton<RecoveryLogStore>();
        services.AddSingleton<RecoveryStore>();
        services.AddSingleton<RecoveryAssignments>();
        services.AddSingleton<ReplicaActions>();
        return services;
    }

    // One client for all nodes and the whole life of the process; addresses are looked up again now and then.
    private static HttpClient NodeHttp() => new(new ConnectFaults(new SocketsHttpHandler
    {
        ConnectTimeout = NodeClient.ConnectTimeout,
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        AllowAutoRedirect = false,
        UseProxy = false,
    }))
    {
        // Every call has a limit of its own.
        Timeout = Timeout.InfiniteTimeSpan,
    };
}
