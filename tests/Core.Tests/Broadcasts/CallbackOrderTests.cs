using Baton.Core.Broadcasts;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Broadcasts;

public sealed class CallbackOrderTests
{
    private const string Control = "ch1_vcontrol";
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);

    private static BroadcastMessage Message(params string[] vchannels) => new("drop", vchannels, []);

    private static BroadcastTask Ack(BroadcastTask task, string vchannel, long tick) => BroadcastRules.Ack(task, task.BroadcastId, vchannel, new BroadcastAck(tick, tick, tick), task.Message, Now);

    [Fact]
    public void The_place_of_a_task_is_its_control_records_tick()
    {
        var created = BroadcastRules.Create(10, Message("ch1", Control), Now);
        var replicated = BroadcastRules.Ack(null, 11, "ch1", new BroadcastAck(7, 7, 7), Message("ch1", Control), Now);

        Assert.Equal(new CallbackPlace(0, 10), CallbackOrder.PlaceOf(created));
        Assert.Equal(new CallbackPlace(9, 10), CallbackOrder.PlaceOf(Ack(created, Control, 9)));
        Assert.Null(CallbackOrder.PlaceOf(replicated));
        Assert.Equal(new CallbackPlace(8, 11), CallbackOrder.PlaceOf(Ack(replicated, Control, 8)));
        Assert.Null(CallbackOrder.PlaceOf(BroadcastRules.Create(12, Message("ch1", "ch2"), Now)));
        Assert.Null(CallbackOrder.PlaceOf(BroadcastRules.Tombstone(Ack(created, Control, 9), Now)));
        Assert.True(new CallbackPlace(8, 11) < new CallbackPlace(9, 10));
        Assert.True(new CallbackPlace(9, 10) < new CallbackPlace(9, 11));
    }

    [Theory]
    [InlineData(true, true, false, CallbackAhead.WaitFor)]
    [InlineData(true, false, false, CallbackAhead.PassBy)]
    [InlineData(true, false, true, CallbackAhead.PassBy)]
    [InlineData(false, false, true, CallbackAhead.WaitFor)]
    [InlineData(false, false, false, CallbackAhead.PassBy)]
    public void What_is_missing_somewhere_is_waited_for_only_while_something_works_for_it(bool createdHere, bool holdsLocks, bool secondary, CallbackAhead expected)
    {
        var message = Message("ch1", Control);
        var task = createdHere ? BroadcastRules.Create(10, message, Now) : BroadcastRules.Ack(null, 10, Control, new BroadcastAck(5, 5, 5), message, Now);

        var own = new CallbackPlace(6, 9);
        var place = CallbackOrder.PlaceOf(task)!.Value;
        Assert.Equal(expected, CallbackOrder.Of(own, place, task, holdsLocks, secondary));
        var complete = message.VChannels.Aggregate(task, (t, v) => Ack(t, v, 5));
        Assert.Equal(CallbackAhead.RunFirst, CallbackOrder.Of(own, new CallbackPlace(5, 10), complete, holdsLocks, secondary));
        Assert.Equal(CallbackAhead.PassBy, CallbackOrder.Of(own, place, BroadcastRules.Tombstone(complete, Now), holdsLocks, secondary));
    }

    [Theory]
    [InlineData(7, CallbackAhead.PassBy)]
    [InlineData(5, CallbackAhead.WaitFor)]
    public void A_task_that_was_acked_on_the_control_vchannel_since_its_place_was_read_is_looked_at_where_it_stands_now(long tick, CallbackAhead expected)
    {
        var ahead = Ack(BroadcastRules.Create(10, Message(Control), Now), Control, tick);

        Assert.Equal(expected, CallbackOrder.Of(new CallbackPlace(6, 9), new CallbackPlace(0, 10), ahead, holdsLocks: true, secondary: false));
    }

    /// <summary>
    /// Whatever the order of acks and of looks at complete tasks: callbacks come in the order of the control records, and every task's turn comes. Acks of tasks created
    /// here come in any order; those of replicated records as nodes report them: a control record after all that is before it in its channel.
    /// </summary>
    [Fact]
    public void B60_callbacks_come_in_control_tick_order_whatever_the_order_of_acks_and_every_turn_comes()
    {
        var run = from tasks in Gen.Choose(1, 7)
                  from replicated in Gen.Elements(true, false)
                  from steps in Gen.Choose(0, 1_000_000).ListOf(120)
                  from order in Gen.Choose(0, 1_000_000).ListOf(7)
                  select (tasks, replicated, steps, order);
        Prop.ForAll(run.ToArbitrary(), r => Play(r.tasks, r.replicated, [.. r.steps], [.. r.order])).QuickCheckThrowOnFailure();
    }

    private static bool Play(int count, bool replicated, List<int> steps, List<int> shuffle)
    {
        // The ids' order is not the log's: control record of logOrder[i] has tick i + 1.
        var logOrder = Enumerable.Range(1, count).OrderBy(i => shuffle[i - 1]).Select(i => (long)i).ToList();
        var message = Message(Control, "ch2", "ch3");
        var tasks = Enumerable.Range(1, count).ToDictionary(i => (long)i, i => replicated ? null : BroadcastRules.Create(i, message, Now));
        var callbacks = new List<long>();

        void Act(int pick)
        {
            var acks = Enumerable.Range(1, count).SelectMany(i => message.VChannels.Select(v => (Id: (long)i, VChannel: v)))
                .Where(a => tasks[a.Id]?.PendingVChannels.Contains(a.VChannel) ?? true)
                .Where(a => !replicated || a.VChannel != Control || logOrder.TakeWhile(id => id != a.Id).All(id => tasks[id]?.Acks.ContainsKey(Control) == true))
                .Select(a => (Action)(() => tasks[a.Id] = BroadcastRules.Ack(tasks[a.Id], a.Id, a.VChannel, new BroadcastAck(1, 1, a.VChannel == Control ? logOrder.IndexOf(a.Id) + 1 : 1), message, Now)));
            var looks = tasks.Values.OfType<BroadcastTask>().Where(BroadcastRules.AllAcked).Select(t => (Action)(() => Look(t)));
            List<Action> possible = [.. acks, .. looks];
            if (possible.Count > 0)
            {
                possible[pick % possible.Count]();
            }
        }

        void Look(BroadcastTask complete)
        {
            var own = CallbackOrder.PlaceOf(complete)!.Value;
            var before = tasks.Values.OfType<BroadcastTask>().Select(t => (Task: t, Place: CallbackOrder.PlaceOf(t))).Where(t => t.Place is { } p && p < own).OrderBy(t => t.Place);
            foreach (var (task, place) in before.ToList())
            {
                switch (CallbackOrder.Of(own, place!.Value, task, holdsLocks: true, secondary: replicated))
                {
                    case CallbackAhead.WaitFor:
                        return;
                    case CallbackAhead.RunFirst:
                        Run(task);
                        break;
                }
            }

            Run(complete);
        }

        void Run(BroadcastTask task)
        {
            callbacks.Add(task.BroadcastId);
            tasks[task.BroadcastId] = BroadcastRules.Tombstone(task, Now);
        }

        steps.ForEach(Act);

        // From here on every possible step is taken, which must bring everything to its end: each but the last look at a task either acks or ends one.
        for (var i = 0; callbacks.Count < count && i < 10_000; i++)
        {
            Act(i);
        }

        return callbacks.SequenceEqual(logOrder);
    }
}
