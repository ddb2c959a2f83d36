using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Channels;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Core.Tests.Channels;

/// <summary>
/// A channel machine with a log in memory: does its caller's duties, and checks every answer that was given before the records were
/// applied against what they turned out to be.
/// </summary>
internal sealed class LiveChannel(string cluster = "c1", string channel = "ch1", ChannelLimits? limits = null)
{
    public static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch.AddDays(20_000);

    public ChannelMachine Machine { get; private init; } = new(cluster, channel, limits);

    public List<WalRecord> Log { get; } = [];

    public List<BroadcastAckRequest> Acks { get; } = [];

    /// <summary>Every answer, and what applying its records brought about, as text: equal for two machines that decide the same.</summary>
    public List<string> Transcript { get; } = [];

    /// <summary>What the caller's clock shows, in milliseconds since <see cref="Start"/>.</summary>
    public long AtMs { get; set; }

    private DateTimeOffset Now => Start.AddMilliseconds(AtMs);

    public static MessageBody Text(string text, string? vchannel = null) => new(System.Text.Encoding.UTF8.GetBytes(text), vchannel);

    public static AppendRequest Messages(params string[] texts) => new([.. texts.Select(t => Text(t))]);

    public Prepared<WriteAnswer> Append(AppendRequest request) => Written(Do(Machine.PrepareAppend(request, Now)));

    public Prepared<BeginTransactionResponse> Begin(long keepaliveMs = 0) => Do(Machine.PrepareBegin(new BeginTransactionRequest(keepaliveMs), Now));

    public Prepared<WriteAnswer> AppendTo(long txnId, AppendRequest request) => Written(Do(Machine.PrepareTransactionAppend(txnId, request, Now)));

    public Prepared<WriteAnswer> Commit(long txnId) => Written(Do(Machine.PrepareCommit(txnId, Now)));

    public Prepared<WriteAnswer> Rollback(long txnId) => Written(Do(Machine.PrepareRollback(txnId, Now)));

    /// <summary>Ends what has expired, as the channel's owner does where nothing else comes; false where nothing has.</summary>
    public bool Tick() => Machine.PrepareTimeTick(Now) is { } prepared && Written(Do(prepared)) is not null;

    public Prepared<BroadcastResult> Control(long broadcastId, BroadcastMessage message, string? vchannel = null)
    {
        vchannel ??= Machine.Channel;
        var prepared = Do(Machine.PrepareControl(new ControlRequest(broadcastId, vchannel, message), Now));
        if (prepared.Answer is { } answer)
        {
            var found = Machine.FindBroadcast(broadcastId, vchannel)!;
            Assert.Equal(found.Ack, answer.Ack);
            Assert.Equal(found.RolledBackTxnIds, answer.RolledBackTxnIds);
            Assert.Equal(found.LastReplicated, answer.LastReplicated);
            Assert.True(prepared.DurableLsn >= answer.Ack.Lsn);
        }

        return prepared;
    }

    public Prepared<BroadcastResult> Configure(long broadcastId, ReplicateConfiguration configuration, bool forced = false, bool ignored = false) =>
        Control(broadcastId, new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, [Machine.Channel], [], AlterReplicateConfig: new AlterReplicateConfig(configuration, forced, ignored)));

    /// <summary>Sends replicated records, step by step, and tells what became of each step.</summary>
    public IReadOnlyList<Prepared<ReplicateAnswer>> Replicate(string sourceCluster, string sourceChannel, params ReadMessage[] records)
    {
        var steps = new List<Prepared<ReplicateAnswer>>();
        var next = 0;
        do
        {
            var step = Do(Machine.PrepareReplicate(new ReplicateRequest(sourceCluster, sourceChannel, records), next, Now));
            steps.Add(step);
            if (step.Answer is null)
            {
                break;
            }

            Assert.True(step.Answer.Next > next || records.Length == 0);
            Assert.Equal(step.Answer.Checkpoint, Machine.Checkpoint);
            next = step.Answer.Next;
        }
        while (next < records.Length);

        return steps;
    }

    /// <summary>The machine that another node gets by reading the log.</summary>
    public ChannelMachine Replay()
    {
        var machine = new ChannelMachine(Machine.ClusterId, Machine.Channel, limits);
        for (var i = 0; i < Log.Count; i++)
        {
            _ = machine.Apply(i + 1, Log[i]);
        }

        return machine;
    }

    /// <summary>A channel that goes on from here under another machine.</summary>
    public LiveChannel With(ChannelMachine machine)
    {
        var next = new LiveChannel(Machine.ClusterId, Machine.Channel, limits) { Machine = machine, AtMs = AtMs };
        next.Log.AddRange(Log);
        return next;
    }

    private static string Json<T>(T value) => JsonSerializer.Serialize(value, BatonJson.Options);

    private Prepared<T> Do<T>(Prepared<T> prepared)
        where T : class
    {
        Assert.True(prepared.Error is null != prepared.Answer is null);
        Assert.True(prepared.Error is null || prepared.Records.Count == 0);
        Transcript.Add($"{prepared.Error} {Json(prepared.Answer)} durable {prepared.DurableLsn} exclusive {prepared.Exclusive}");
        foreach (var record in prepared.Records)
        {
            Log.Add(record);
            var applied = Machine.Apply(Log.Count, record);
            Transcript.Add($"{Log.Count}: {Json(record)} {Json(applied)}");
            if (applied.Ack is { } ack)
            {
                Acks.Add(ack);
            }
        }

        Assert.True(prepared.Error is not null || prepared.DurableLsn <= Log.Count);
        return prepared;
    }

    private Prepared<WriteAnswer> Written(Prepared<WriteAnswer> prepared)
    {
        if (prepared.Answer is { } answer)
        {
            Assert.Equal(answer.LastLsn, prepared.DurableLsn);
            Assert.Equal(answer.TimeTick, Log[(int)answer.LastLsn - 1].TimeTick);
        }

        return prepared;
    }
}
