using System.Text.Json.Nodes;
using Baton.Core.Api;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.Invocations;
using Baton.DevHost.FunctionsHost.Queues;
using Baton.DevHost.Orchestrations;

namespace Baton.DevHost.FunctionsHost.Http;

/// <summary>The routes of the app's HTTP functions.</summary>
internal sealed class HttpTriggers(FunctionApp app, FunctionInvoker invoker, FunctionInputs inputs, OutputSender outputs, HostKeyCheck keys, long bodyLimitBytes)
{
    private static readonly string[] AllMethods = ["GET", "POST", "DELETE", "HEAD", "PATCH", "PUT", "OPTIONS"];

    public void Map(IEndpointRouteBuilder routes)
    {
        foreach (var function in app.Functions)
        {
            if (function.Trigger is HttpTrigger trigger)
            {
                var pattern = string.Join('/', new[] { app.Manifest.RoutePrefix, trigger.Route }.Where(p => p.Length > 0));
                if (pattern.Equals("admin", StringComparison.OrdinalIgnoreCase) || pattern.StartsWith("admin/", StringComparison.OrdinalIgnoreCase) || pattern.StartsWith("runtime", StringComparison.OrdinalIgnoreCase))
                {
                    throw new InvalidFunctionAppException($"The route '{pattern}' of {function.Name} is reserved for the host: routes must not begin with 'admin' or 'runtime'.");
                }

                routes.MapMethods(pattern, trigger.Methods.Count == 0 ? AllMethods : trigger.Methods, context => HandleAsync(context, function, trigger));
            }
        }

        // Also takes known paths with another method: the real host answers 404 to those, not 405.
        routes.MapFallback("{*path}", context => ProblemAnswers.WriteAsync(context, ApiErrorCode.NotFound, "No function has this path and method."));
    }

    private async Task HandleAsync(HttpContext context, FunctionDefinition function, HttpTrigger trigger)
    {
        if (!keys.Allows(context.Request, trigger.Level))
        {
            await ProblemAnswers.WriteAsync(context, ApiErrorCode.Unauthorized, $"The key is missing or wrong: send it in the header {HostKeyCheck.Header}.");
            return;
        }

        if (context.Request.ContentLength > bodyLimitBytes)
        {
            await OversizeBody.DiscardAsync(context);
            await ProblemAnswers.WriteAsync(context, ApiErrorCode.PayloadTooLarge, $"A request body holds at most {bodyLimitBytes} bytes.");
            return;
        }

        try
        {
            if (function.IsHttpInAndOut && app.Manifest.Handler.ForwardsHttp)
            {
                await invoker.ForwardAsync(function, handler => Forwarding.Request(context.Request, handler), (answer, _) => Forwarding.WriteAsync(context, answer), CancellationToken.None);
            }
            else
            {
                await InvokeAsync(context, function, trigger);
            }
        }
        catch (InvocationFailedException) when (!context.Response.HasStarted)
        {
            context.Response.Clear();
            await ProblemAnswers.WriteAsync(context, ApiErrorCode.Internal, $"The function {function.Name} failed.");
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller has gone. The function ran to its end all the same.
        }
        catch (OperationCanceledException)
        {
            await ProblemAnswers.WriteAsync(context, ApiErrorCode.Unavailable, "The host is shutting down.");
        }
    }

    // The caller's going away is no reason to cancel: in the real host it does not reach a custom handler in an envelope.
    private async Task InvokeAsync(HttpContext context, FunctionDefinition function, HttpTrigger trigger)
    {
        var data = inputs.Values(function);
        data[trigger.Binding] = await HttpEnvelope.RequestAsync(context.Request, context.RequestAborted);
        var answer = await invoker.InvokeAsync(function, data, HttpEnvelope.Metadata(context.Request), CancellationToken.None);
        JsonObject output;
        try
        {
            output = HttpOutput.Parse(answer.Outputs[function.HttpOutput!]);
        }
        catch (InvalidDataException e)
        {
            throw new InvocationFailedException(e.Message, e);
        }

        await outputs.SendAsync(function, answer, CancellationToken.None);
        await HttpOutput.WriteAsync(context, output);
    }
}
