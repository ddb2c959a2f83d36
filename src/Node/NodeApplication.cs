using Baton.Edge.Answers;
using Baton.Edge.Bodies;
using Baton.Edge.Connections;
using Baton.Edge.Hosting;
using Baton.Edge.Settings;
using Baton.Node.Access;
using Baton.Node.Broadcasts;
using Baton.Node.Cdc;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Messages;
using Baton.Node.Metadata;
using Baton.Node.Rehearsal;
using Baton.Node.Replicas;
using Baton.Node.Replicas.Feed;
using Baton.Node.Replication;
using Baton.Node.Settings;
using Baton.Node.Status;
using Baton.Node.Transactions;
using Baton.Storage;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;
using Microsoft.Extensions.Options;

namespace Baton.Node;

/// <summary>Puts a node together: settings, storage, membership, endpoints.</summary>
internal static class NodeApplication
{
    /// <summary>Key of the client for calls to other nodes on behalf of the metadata.</summary>
    public const string PeerHttp = "peers";

    /// <summary>A node that is ready to be started.</summary>
    /// <param name="args">Settings from the command line, over those of the environment.</param>
    /// <param name="configure">Last word on settings and services, for tests.</param>
    /// <exception cref="OptionsValidationException">Settings are wrong; an <see cref="AggregateException"/> of them where more than one section is.</exception>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        LogOutput.Add(builder, $"{NodeSettings.Section}:{nameof(NodeSettings.LogFormat)}");
        AddSettings(builder);
        AddServices(builder.Services);
        configure?.Invoke(builder);
        HttpDoor.Add(builder, () =>
        {
            var listen = builder.Configuration.GetSection(NodeSettings.Section).Get<NodeSettings>() ?? new NodeSettings();
            return (listen.ListenAddress, listen.ListenPort);
        });

        var app = builder.Build();

        // Before anything is made of them: a later failure would come out of whatever part asked first.
        app.Services.GetRequiredService<IStartupValidator>().Validate();
        app.UseRequestMetrics();
        app.UseProblemAnswers();
        app.UseRouting();
        app.UseAccessCheck();
        app.UseTermHeader();
        app.MapStatus();
        app.MapLeadership();
        app.MapMessages();
        app.MapTransactions();
        app.MapControl();
        app.MapReplicate();
        app.MapFeed();
        app.MapRecovery();
        app.MapMetadata();
        return app;
    }

    private static void AddSettings(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<NodeSettings>().BindConfiguration(NodeSettings.Section).ValidateOnStart();
        services.AddOptions<ClusterSettings>().BindConfiguration(ClusterSettings.Section).ValidateOnStart();
        services.AddOptions<ControlPlaneSettings>().BindConfiguration(ControlPlaneSettings.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<NodeSettings>, NodeSettingsCheck>();
        services.AddSingleton<IValidateOptions<ClusterSettings>, NodeSettingsCheck>();
        services.AddSingleton<IValidateOptions<ControlPlaneSettings>, ControlPlaneSettingsCheck>();
        services.AddOptions<StorageOptions>().BindConfiguration(StorageOptions.Section).ValidateOnStart();
        services.AddOptions<WalOptions>().BindConfiguration(WalOptions.Section).ValidateOnStart();
        services.AddOptions<ReplicaLogOptions>().BindConfiguration(ReplicaLogOptions.Section).ValidateOnStart();
        services.AddOptions<FollowSettings>().BindConfiguration(FollowSettings.Section).ValidateOnStart();
        services.AddOptions<CdcSettings>().BindConfiguration(CdcSettings.Section).ValidateOnStart();
        services.AddOptions<MetadataSettings>().BindConfiguration(MetadataSettings.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<StorageOptions>>(new SettingsOfOthers<StorageOptions>(o => BatonStorage.Open(o)));
        services.AddSingleton<IValidateOptions<WalOptions>>(new SettingsOfOthers<WalOptions>(o => o.Validate()));
        services.AddSingleton<IValidateOptions<ReplicaLogOptions>>(new SettingsOfOthers<ReplicaLogOptions>(o => o.Validate()));
        services.AddSingleton<IValidateOptions<FollowSettings>>(new SettingsOfOthers<FollowSettings>(o => o.Validate()));
        services.AddSingleton<IValidateOptions<CdcSettings>>(new SettingsOfOthers<CdcSettings>(o => o.Validate()));
        services.AddSingleton<IValidateOptions<MetadataSettings>>(new SettingsOfOthers<MetadataSettings>(o => o.Validate()));

        // Leaving is a part of stopping, and what the host gives requests and logs to end stays as it is.
        services.Configure<HostOptions>(host => host.ShutdownTimeout += TimeSpan.FromMilliseconds(builder.Configuration.GetValue($"{NodeSettings.Section}:{nameof(NodeSettings.DrainTimeoutMs)}", new NodeSettings().DrainTimeoutMs)));
        StdinWatch.Add(services, builder.Configuration);
    }

    private static void AddServices(IServiceCollection services)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(s => BatonStorage.Open(s.GetRequiredService<IOptions<StorageOptions>>().Value));
        services.AddSingleton(s => new WalStore(
            s.GetRequiredService<BatonStorage>(), s.GetRequiredService<IOptions<WalOptions>>().Value, s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton<NodeSecrets>();
        services.AddSingleton(s => new NodeMetrics(s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new ControlPlaneClient(
            new HttpClient(new ConnectFaults(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })),
            s.GetRequiredService<IOptions<NodeSettings>>(),
            s.GetRequiredService<IOptions<ClusterSettings>>(),
            s.GetRequiredService<IOptions<ControlPlaneSettings>>(),
            s.GetRequiredService<NodeMetrics>()));
        services.AddSingleton<LeaderHints>();
        services.AddSingleton<HeardStanding>();
        services.AddSingleton(s => new BodyBudget(s.GetRequiredService<IOptions<NodeSettings>>().Value.MaxRequestBytesInFlight, $"{NodeSettings.Section}:{nameof(NodeSettings.MaxRequestBytesInFlight)}", s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<WaitingReaders>();
        services.AddSingleton(s => new RecentBytes(s.GetRequiredService<IOptions<NodeSettings>>().Value.MaxRecentBytes));
        services.AddSingleton(s => new SnapshotTurns(s.GetRequiredService<IOptions<NodeSettings>>().Value.MaxSnapshotsAtOnce));
        services.AddSingleton<AckTurns>();
        services.AddSingleton<ChannelOpener>();
        services.AddSingleton(s => new TermWaits(TermHeader.MaxWaiting, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new OpenOrders(s.GetRequiredService<IOptions<NodeSettings>>().Value.OpensAtOnce, s.GetRequiredService<TermWaits>()));
        services.AddSingleton<CannotLead>();
        services.AddSingleton<ChannelTable>();
        services.AddSingleton(s => new FeedClient(
            new HttpClient(new ConnectFaults(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })) { Timeout = Timeout.InfiniteTimeSpan },
            s.GetRequiredService<IOptions<NodeSettings>>(),
            s.GetRequiredService<IOptions<ClusterSettings>>(),
            s.GetRequiredService<IOptions<FollowSettings>>(),
            s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<ReplicaTable>();
        services.AddSingleton<EarlyBeat>();
        services.AddSingleton<OpeningRehearsal>();
        services.AddSingleton<Drain>();
        services.AddSingleton<Membership>();
        services.AddHostedService(s => s.GetRequiredService<Membership>());
        AddMetadata(services);
        services.AddSingleton<TargetHttp>();
        services.AddSingleton<CdcSurroundings>();
        services.AddHostedService<CdcTasks>();
    }

    private static void AddMetadata(IServiceCollection services)
    {
        services.AddSingleton<MetadataCopy>();
        services.AddSingleton<MetadataMetrics>();
        services.AddSingleton<PeerReports>();
        services.AddSingleton<MetadataLeader>();
        services.AddSingleton<ForwardStamps>();
        services.AddSingleton<TopicInitializer>();
        services.AddSingleton<MetadataWriter>();
        services.AddSingleton<MetadataReader>();

        // Each call to another node has a limit of its own.
        services.AddKeyedSingleton(PeerHttp, (_, _) => new HttpClient(new ConnectFaults(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), AllowAutoRedirect = false, UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(2) })) { Timeout = Timeout.InfiniteTimeSpan });
        services.AddSingleton<MetadataForwarder>();
        services.AddSingleton<PartitionForwarder>();
        services.AddSingleton<MetadataFollower>();
        services.AddHostedService(s => s.GetRequiredService<MetadataFollower>());
        services.AddHostedService<CatalogueKeeper>();
        services.AddHostedService<HighWatermarks>();
        services.AddHostedService<AntiEntropy>();
    }
}
