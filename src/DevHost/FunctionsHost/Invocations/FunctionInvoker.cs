using System.Net.Http.Headers;
using System.Net.Mime;
using System.Text;
using System.Text.Json.Nodes;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.Handler;
using Baton.DevHost.Orchestrations;

namespace Baton.DevHost.FunctionsHost.Invocations;

/// <summary>Calls functions in the handler. One place applies the function timeout, the crash point and the rules of a failed call.</summary>
internal sealed class FunctionInvoker(HandlerSupervisor handlers, HttpClient http, TimeSpan functionTimeout, CrashTrigger crash, TimeProvider time, ILoggerFactory loggers, CancellationToken stopping)
{
    /// <summary>What this host says its version is.</summary>
    public const string HostVersion = "4.0.0";

    private const string InvocationIdHeader = "X-Azure-Functions-InvocationId";
    private const string HostVersionHeader = "X-Azure-Functions-HostVersion";

    /// <summary>Calls a function with an envelope.</summary>
    /// <exception cref="InvocationFailedException">It failed: see the message. The handler's answer is discarded, as in the real host.</exception>
    public Task<FunctionAnswer> InvokeAsync(FunctionDefinition function, JsonObject data, JsonObject metadata, CancellationToken cancellationToken)
    {
        var body = Encoding.UTF8.GetBytes(Envelope.Create(function.Name, data, metadata, time.GetUtcNow()).ToJsonString(Envelope.Json));
        return CallAsync(
            function,
            baseAddress => new HttpRequestMessage(HttpMethod.Post, new Uri(baseAddress, function.Name))
            {
                Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Json, "utf-8") } },
                Headers = { TransferEncodingChunked = true },
            },
            (answer, token) => ReadAnswerAsync(function, answer, token),
            cancellationToken);
    }

    /// <summary>Sends a request on as it is and hands the answer, whatever its status, to <paramref name="read"/>.</summary>
    /// <exception cref="InvocationFailedException">There was no answer.</exception>
    public Task ForwardAsync(FunctionDefinition function, Func<Uri, HttpRequestMessage> request, Func<HttpResponseMessage, CancellationToken, Task> read, CancellationToken cancellationToken) =>
        CallAsync(
            function,
            request,
            async (answer, token) =>
            {
                await read(answer, token);
                return true;
            },
            cancellationToken);

    private async Task<T> CallAsync<T>(
        FunctionDefinition function,
        Func<Uri, HttpRequestMessage> request,
        Func<HttpResponseMessage, CancellationToken, Task<T>> read,
        CancellationToken cancellationToken)
    {
        var logger = loggers.CreateLogger($"Function.{function.Name}");
        var handler = await handlers.ReadyAsync(cancellationToken);
        using var timeout = new CancellationTokenSource(functionTimeout, time);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping, cancellationToken);
        try
        {
            var hit = crash.Hit(function.Name);
            await crash.BeforeAsync(hit, handler);
            using var message = request(handler.Address);
            message.Headers.Add(InvocationIdHeader, Guid.NewGuid().ToString());
            message.Headers.Add(HostVersionHeader, HostVersion);
            message.Headers.UserAgent.ParseAdd($"Azure-Functions-Host/{HostVersion}");
            using var answer = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, ends.Token);
            await answer.Content.LoadIntoBufferAsync(ends.Token);
            await crash.AfterAsync(hit, handler);
            return await read(answer, ends.Token);
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            // The real host restarts the worker that runs a timed-out invocation, and with it everything else that runs in it.
            logger.LogError("{Function} took longer than the function timeout of {Timeout}; the handler is restarted", function.Name, functionTimeout);
            await handler.RecycleAsync();
            throw new InvocationFailedException($"Timeout value of {functionTimeout} exceeded by function: Functions.{function.Name}", e) { IsTimeout = true };
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidDataException)
        {
            logger.LogError("{Function} failed: {Reason}", function.Name, e.Message);
            throw new InvocationFailedException(e.Message, e);
        }
    }

    private async Task<FunctionAnswer> ReadAnswerAsync(FunctionDefinition function, HttpResponseMessage message, CancellationToken cancellationToken)
    {
        message.EnsureSuccessStatusCode();
        var answer = FunctionAnswer.Read(message.Content.Headers.ContentType, await message.Content.ReadAsByteArrayAsync(cancellationToken));
        if (answer is null)
        {
            // An empty or null answer completes nothing in the real host: the invocation ends with the function timeout.
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        }

        foreach (var line in answer!.Logs)
        {
            loggers.CreateLogger($"Function.{function.Name}").LogInformation("{Line}", line);
        }

        return answer;
    }
}
