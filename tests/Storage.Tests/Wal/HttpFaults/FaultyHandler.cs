using System.Net;

namespace Baton.Storage.Tests.Wal.HttpFaults;

/// <summary>The network between client and service, below every retry: each call meets the fate that is drawn for it.</summary>
/// <param name="draw">The fate of each call; null for none.</param>
internal sealed class FaultyHandler(Func<HttpRequestMessage, HttpFault?> draw) : HttpMessageHandler
{
    // All handlers share its connections.
    private static readonly HttpMessageInvoker Wire = new(new SocketsHttpHandler { MaxConnectionsPerServer = 64, UseCookies = false, AllowAutoRedirect = false });

    private readonly Lock _gate = new();
    private readonly List<LateCall> _late = [];

    /// <summary>Sends everything that is still on its way.</summary>
    public Task ArriveAsync() => ArriveAsync(calls: int.MaxValue);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpFault? fault;
        lock (_gate)
        {
            fault = draw(request);
        }

        var answer = await SendAsync(fault, request, cancellationToken);
        await ArriveAsync(calls: 1);
        return answer;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpFault? fault, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        switch (fault)
        {
            case HttpFault.Dropped:
                throw Cut();
            case HttpFault.LateByOne:
                throw await DelayAsync(request, calls: 1);
            case HttpFault.LateByThree:
                throw await DelayAsync(request, calls: 3);
            case HttpFault.TwiceFirstAnswer:
            case HttpFault.TwiceSecondAnswer:
                return await SendTwiceAsync(request, fault == HttpFault.TwiceFirstAnswer, cancellationToken);
            case HttpFault.InternalErrorUndone:
                return Failed(request, HttpStatusCode.InternalServerError, "InternalError");
            case HttpFault.InternalErrorDone:
                await SendUnheardAsync(request, cancellationToken);
                return Failed(request, HttpStatusCode.InternalServerError, "OperationTimedOut");
            case HttpFault.UnavailableUndone:
                return Failed(request, HttpStatusCode.ServiceUnavailable, "ServerBusy");
            case HttpFault.UnavailableDone:
                await SendUnheardAsync(request, cancellationToken);
                return Failed(request, HttpStatusCode.ServiceUnavailable, "ServerBusy");
            case HttpFault.ResetAfterSend:
                await SendUnheardAsync(request, cancellationToken);
                throw Cut();
            case HttpFault.Hangs:
                await SendUnheardAsync(request, cancellationToken);
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
                throw Cut();
            case HttpFault.BodyCut:
                return await CutBody.OfAsync(await Wire.SendAsync(request, cancellationToken), cancellationToken);
            case HttpFault.BodyShortened:
                return await CutBody.ShortenAsync(await Wire.SendAsync(request, cancellationToken), cancellationToken);
            default:
                return await Wire.SendAsync(request, cancellationToken);
        }
    }

    private static async Task<HttpResponseMessage> SendTwiceAsync(HttpRequestMessage request, bool firstAnswer, CancellationToken cancellationToken)
    {
        using var copy = await RequestCopy.TakeAsync(request);
        if (!firstAnswer)
        {
            await SendUnheardAsync(copy, cancellationToken);
            return await Wire.SendAsync(request, cancellationToken);
        }

        var answer = await Wire.SendAsync(request, cancellationToken);
        await SendUnheardAsync(copy, cancellationToken);
        return answer;
    }

    private static async Task SendUnheardAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var unheard = await Wire.SendAsync(request, cancellationToken);
    }

    private async Task<HttpRequestException> DelayAsync(HttpRequestMessage request, int calls)
    {
        var copy = await RequestCopy.TakeAsync(request);
        lock (_gate)
        {
            _late.Add(new LateCall(copy) { CallsToGo = calls });
        }

        return Cut();
    }

    // What arrives late arrives between two calls of the caller.
    private async Task ArriveAsync(int calls)
    {
        List<LateCall> due;
        lock (_gate)
        {
            _late.ForEach(late => late.CallsToGo -= calls);
            due = [.. _late.Where(late => late.CallsToGo <= 0)];
            _late.RemoveAll(due.Contains);
        }

        foreach (var late in due)
        {
            using var request = late.Request;
            await SendUnheardAsync(request, CancellationToken.None);
        }
    }

    private static HttpRequestException Cut() => new("The connection was cut (by the test).", new IOException("cut"));

    private static HttpResponseMessage Failed(HttpRequestMessage request, HttpStatusCode status, string code) =>
        new(status) { RequestMessage = request, Headers = { { "x-ms-error-code", code } }, Content = new ByteArrayContent([]) };

    private sealed class LateCall(HttpRequestMessage request)
    {
        public HttpRequestMessage Request { get; } = request;

        public int CallsToGo { get; set; }
    }
}
