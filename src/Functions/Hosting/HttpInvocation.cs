using Baton.Core.Api;
using Baton.Durable;
using Microsoft.AspNetCore.Http.Features;

namespace Baton.Functions.Hosting;

/// <summary>Runs an HTTP function, the same way for a forwarded request and for one out of an envelope.</summary>
internal sealed class HttpInvocation(FunctionDefinition function, FeatureCollection features, ILogger logger)
{
    private readonly DefaultHttpContext context = new(features);

    /// <summary>What goes to queues if the function succeeds.</summary>
    public Dictionary<string, object> Outputs { get; } = new(StringComparer.Ordinal);

    /// <summary>The request as the host forwarded it.</summary>
    public static HttpInvocation Forwarded(FunctionDefinition function, HttpContext host, ILogger logger)
    {
        var features = new FeatureCollection(host.Features);
        features.Set<IServiceProvidersFeature>(new ServicesOf(host.RequestServices));
        return new HttpInvocation(function, features, logger);
    }

    /// <summary>The request that <paramref name="envelope"/> holds.</summary>
    public static HttpInvocation Enveloped(FunctionDefinition function, HttpContext host, Envelope envelope, ILogger logger)
    {
        var features = new FeatureCollection();
        features.Set<IServiceProvidersFeature>(new ServicesOf(host.RequestServices));
        features.Set<IHttpRequestLifetimeFeature>(new HttpRequestLifetimeFeature { RequestAborted = host.RequestAborted });
        EnvelopedRequest.Install(features, ((HttpTriggerAttribute)function.Trigger).Route, envelope.Object(function.TriggerName));
        return new HttpInvocation(function, features, logger);
    }

    /// <summary>The function's answer, or the problem that it ended in.</summary>
    public async Task<HttpAnswer> RunAsync(DurableTaskClient? client, CancellationToken cancellationToken)
    {
        try
        {
            var response = BufferedResponse.Install(features);
            var returned = await FunctionCall.RunAsync(function, context.RequestServices, context.Request, client, cancellationToken);
            var result = function.HttpResult is null || returned is null ? returned : function.HttpResult.GetValue(returned);
            var answer = await response.ExecuteAsync(result as IResult ?? throw new InvalidOperationException("The function returned no answer."), context);
            QueueMessages.Add(function, returned, Outputs);
            return answer;
        }
        catch (Exception e) when (!context.RequestAborted.IsCancellationRequested)
        {
            Outputs.Clear();
            var stopping = e is OperationCanceledException && cancellationToken.IsCancellationRequested;
            if (!stopping && !ProblemResult.IsCallers(e))
            {
                logger.LogError(e, "The function {Function} failed", function.Name);
            }

            var problem = stopping ? new ProblemResult(new ApiError(ApiErrorCode.Unavailable, "Baton is stopping here. Try again.")) : ProblemResult.From(e);
            return await BufferedResponse.Install(features).ExecuteAsync(problem, context);
        }
    }

    private sealed class ServicesOf(IServiceProvider services) : IServiceProvidersFeature
    {
        public IServiceProvider RequestServices { get; set; } = services;
    }
}
