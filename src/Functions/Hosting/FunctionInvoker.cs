using System.Reflection;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Durable;
using Google.Protobuf;

namespace Baton.Functions.Hosting;

/// <summary>Serves the host's calls. Nothing is ever thrown out of here: a fault is an answer, and is logged once.</summary>
internal sealed class FunctionInvoker(
    FunctionCatalog catalog, DurableClients clients, IHostApplicationLifetime lifetime, ILoggerFactory loggers, ILogger<FunctionInvoker> logger)
{
    /// <summary>Answers a request that the host forwarded as its caller sent it.</summary>
    public Task ForwardedAsync(FunctionDefinition function, HttpContext host) => AnswerAsync(function, host, async cancellationToken =>
    {
        var answer = await HttpInvocation.Forwarded(function, host, logger).RunAsync(client: null, cancellationToken);
        await answer.WriteAsync(host);
    });

    /// <summary>Answers an envelope. Any status but success makes the host drop the body and count the invocation as failed.</summary>
    public Task EnvelopedAsync(FunctionDefinition function, HttpContext host) => AnswerAsync(function, host, async cancellationToken =>
    {
        // A turn must be answered well even while the app stops; to read it takes no time worth saving.
        var reading = function.Trigger is OrchestrationTriggerAttribute ? host.RequestAborted : cancellationToken;
        using var envelope = await Envelope.ReadAsync(host.Request, reading);
        var answer = function.Trigger switch
        {
            HttpTriggerAttribute => await HttpAsync(function, host, envelope, cancellationToken),
            OrchestrationTriggerAttribute => Turn(function, host, envelope),
            ActivityTriggerAttribute => await ActivityAsync(function, host, envelope, cancellationToken),
            _ => await EventAsync(function, host, envelope, cancellationToken),
        };
        await answer.WriteAsync(host);
    });

    private async Task AnswerAsync(FunctionDefinition function, HttpContext host, Func<CancellationToken, Task> answerAsync)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(host.RequestAborted, lifetime.ApplicationStopping);
        try
        {
            await answerAsync(ended.Token);
        }
        catch (Exception) when (host.RequestAborted.IsCancellationRequested)
        {
            logger.LogInformation("The host gave up on the function {Function}", function.Name);
        }
        catch (Exception e)
        {
            logger.LogError(e, "The function {Function} failed", function.Name);
            if (!host.Response.HasStarted)
            {
                host.Response.Clear();
                await ProblemResult.From(e).ExecuteAsync(host);
            }
        }
    }

    private async Task<InvocationAnswer> HttpAsync(FunctionDefinition function, HttpContext host, Envelope envelope, CancellationToken cancellationToken)
    {
        var invocation = HttpInvocation.Enveloped(function, host, envelope, logger);
        var answer = await invocation.RunAsync(clients.Open(function, envelope), cancellationToken);
        invocation.Outputs[FunctionDefinition.HttpOutputName] = answer.ToOutput();
        return new InvocationAnswer(invocation.Outputs);
    }

    private async Task<InvocationAnswer> EventAsync(FunctionDefinition function, HttpContext host, Envelope envelope, CancellationToken cancellationToken)
    {
        object input = function.Trigger is TimerTriggerAttribute
            ? envelope.As<TimerInfo>(function.TriggerName)
            : (ReadOnlyMemory<byte>)envelope.Bytes(function.TriggerName);
        var returned = await FunctionCall.RunAsync(function, host.RequestServices, input, clients.Open(function, envelope), cancellationToken);
        var outputs = new Dictionary<string, object>(StringComparer.Ordinal);
        QueueMessages.Add(function, returned, outputs);
        return new InvocationAnswer(outputs);
    }

    // Any status but success would end the orchestration for good, so the runner makes every failure of the code a part of its answer, and while
    // the app stops asks for the turn again.
    private InvocationAnswer Turn(FunctionDefinition function, HttpContext host, Envelope envelope)
    {
        try
        {
            return InvocationAnswer.Returning(OrchestrationRunner.Run(envelope.Text(function.TriggerName), Orchestrator, loggers, lifetime.ApplicationStopping));
        }
        catch (Exception e) when (e is FormatException or InvalidProtocolBufferException)
        {
            throw Envelope.Malformed($"{function.TriggerName} is no request for a turn");
        }

        Func<TaskOrchestrationContext, Task<object?>>? Orchestrator(string name) =>
            catalog.Functions.FirstOrDefault(f => f.Trigger is OrchestrationTriggerAttribute && string.Equals(f.Name, name, StringComparison.OrdinalIgnoreCase)) is { } orchestrator
                ? context => FunctionCall.RunAsync(orchestrator, host.RequestServices, context, client: null, CancellationToken.None)
                : null;
    }

    // A failure is part of the answer: of a failed invocation the engine would learn the status only.
    private async Task<InvocationAnswer> ActivityAsync(FunctionDefinition function, HttpContext host, Envelope envelope, CancellationToken cancellationToken)
    {
        var json = envelope.ActivityInput(function.TriggerName);
        try
        {
            var input = ActivityInput(function.TriggerParameter, json);
            return InvocationAnswer.Returning(ActivityEnvelope.Ok(
                await FunctionCall.RunAsync(function, host.RequestServices, input, client: null, cancellationToken)));
        }
        catch (Exception e) when (!host.RequestAborted.IsCancellationRequested)
        {
            logger.LogWarning(e, "The activity {Function} failed", function.Name);
            return InvocationAnswer.Returning(ActivityEnvelope.Failed(e));
        }
    }

    private static object? ActivityInput(ParameterInfo parameter, JsonElement json)
    {
        var input = json.Deserialize(parameter.ParameterType, BatonJson.Options);
        return input is not null || new NullabilityInfoContext().Create(parameter).WriteState != NullabilityState.NotNull
            ? input
            : throw new ArgumentNullException(parameter.Name, "The activity needs an input.");
    }
}
