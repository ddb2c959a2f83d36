using System.Globalization;
using System.Text.Json;
using Azure;
using Baton.Core.Api;
using Baton.DevHost.Orchestrations;
using Baton.DevHost.Tests.Orchestrations;
using Baton.OrchestrationApp.RandomPrograms;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>A random program, its effects, and the client that drives it over any number of engines.</summary>
public sealed class ProgramUnderTest(int seed, int size)
{
    public const string Root = "root";

    private readonly Plan _plan = ProgramGenerator.Generate(seed, size);

    public MemoryEffects Effects { get; } = new();

    /// <summary>The app, as a process that an engine calls. Every engine gets one of its own.</summary>
    public ScriptedApp App()
    {
        var tasks = new EffectTasks(Effects);
        return new ScriptedApp()
            .Orchestrator(ProgramOrchestrator.Name, async context => await ProgramOrchestrator.RunAsync(context))
            .Activity<EffectCall>(EffectActivities.Apply, async (call, ct) => await tasks.ApplyAsync(call!, ct))
            .Activity<GateCall>(EffectActivities.Pass, async (call, ct) => await tasks.PassAsync(call!, ct))
            .Activity<AskCall>(EffectActivities.Ask, async (call, ct) => await tasks.AskAsync(call!, ct));
    }

    /// <summary>Starts the program unless it is started, answers what it asks, and waits for its end.</summary>
    /// <exception cref="RequestFailedException">Storage did not answer. It can be driven on.</exception>
    public async Task<InstanceStatus> DriveAsync(OrchestrationEngine engine, CancellationToken gone)
    {
        await StartAsync(engine, gone);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(gone);
        var answers = AnswerAsync(engine, ended.Token);
        var end = engine.Instances.WaitForCompletionAsync(Root, EngineHub.Patience, ended.Token);
        try
        {
            await await Task.WhenAny(end, answers, engine.Ended);
            Assert.False(engine.Ended.IsCompleted, "The engine has stopped by itself.");
            var status = await end;
            return status is { IsFinished: true }
                ? status
                : throw new TimeoutException(Describe("at the end of patience", await StandAsync(engine)));
        }
        finally
        {
            await ended.CancelAsync();
            await Task.WhenAny(answers);
        }
    }

    /// <summary>Checks the end, the effects and all histories against the model.</summary>
    public async Task VerifyAsync(OrchestrationEngine engine, InstanceStatus end, string when, bool undisturbed)
    {
        var differences = ProgramVerdict
            .Differences(ProgramModel.Expect(_plan), new ActualEnd(end.RuntimeStatus, end.Output, end.CustomStatus), Effects.Seen, undisturbed)
            .ToList();
        var (instances, _) = await engine.Instances.ListAsync(new InstanceFilter(), top: 1000, showInput: false, continuation: null, CancellationToken.None);
        foreach (var instance in instances)
        {
            var history = await engine.Instances.HistoryAsync(instance.InstanceId, CancellationToken.None);
            differences.AddRange(HistoryRules.Violations(instance, history).Select(violation => $"Instance {instance.InstanceId}: {violation}"));
        }

        Assert.True(differences.Count == 0, Describe(when, string.Join("\n  ", differences)));
    }

    /// <summary>All that is needed to see a failure again.</summary>
    public string Describe(string when, string what) => string.Create(
        CultureInfo.InvariantCulture,
        $"Seed {seed}, size {size}, {when}:\n  {what}\nThe program: {JsonSerializer.Serialize(_plan, BatonJson.Options)}");

    /// <summary>Where each instance stands: what it has in its history, and what has come of that.</summary>
    private static async Task<string> StandAsync(OrchestrationEngine engine)
    {
        var lines = new List<string>();
        var (instances, _) = await engine.Instances.ListAsync(new InstanceFilter(), top: 1000, showInput: false, continuation: null, CancellationToken.None);
        foreach (var instance in instances)
        {
            var history = await engine.Instances.HistoryAsync(instance.InstanceId, CancellationToken.None);
            lines.Add($"{instance.InstanceId} is {instance.RuntimeStatus} {instance.CustomStatus}: {string.Join(' ', history.Select(e => e.EventTypeCase))}");
        }

        return string.Join("\n  ", lines);
    }

    // A start without an answer may have been one. Only who finds the program at work, or at its end, need not start it again.
    private async Task StartAsync(OrchestrationEngine engine, CancellationToken gone)
    {
        if (await engine.Instances.GetAsync(Root, showInput: false, gone) is not (null or { RuntimeStatus: "Pending" }))
        {
            return;
        }

        try
        {
            await engine.Instances.StartAsync(ProgramOrchestrator.Name, Root, JsonSerializer.Serialize(new ProgramInput(_plan, Root), BatonJson.Options), gone);
        }
        catch (InstanceRequestException e) when (e.Status == 409)
        {
            // It was one.
        }
    }

    private async Task AnswerAsync(OrchestrationEngine engine, CancellationToken ended)
    {
        try
        {
            while (true)
            {
                var ask = await Effects.Asks.Reader.ReadAsync(ended);
                try
                {
                    await engine.Instances.RaiseEventAsync(ask.InstanceId, ask.EventName, JsonSerializer.Serialize(ask.Payload), ended);
                }
                catch (InstanceRequestException e) when (e.Status == 410)
                {
                    // Raised before by a call whose answer was lost.
                }
                catch
                {
                    Effects.Asks.Writer.TryWrite(ask);
                    throw;
                }
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // Nothing more is asked.
        }
    }
}
