using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary><see cref="EffectTasks"/> as functions of the app.</summary>
public sealed class EffectActivities(IConfiguration configuration)
{
    public const string Apply = "ApplyEffect";
    public const string Pass = "PassGate";
    public const string Ask = "AskOutside";

    private readonly EffectTasks _tasks = new(TableEffects.Open(Required(configuration, TableEffects.StorageSetting), Required(configuration, TableEffects.TableSetting)));

    [Function(Apply)]
    public Task<EffectAnswer> ApplyAsync([ActivityTrigger] EffectCall call, CancellationToken ct) => _tasks.ApplyAsync(call, ct);

    [Function(Pass)]
    public Task<string> PassAsync([ActivityTrigger] GateCall call, CancellationToken ct) => _tasks.PassAsync(call, ct);

    [Function(Ask)]
    public Task<string> AskAsync([ActivityTrigger] AskCall call, CancellationToken ct) => _tasks.AskAsync(call, ct);

    private static string Required(IConfiguration configuration, string setting) =>
        configuration[setting] ?? throw new InvalidOperationException($"{setting} is not set.");
}
