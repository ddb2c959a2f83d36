using System.Globalization;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Gateway.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Baton.Gateway.Tests.Faults;

/// <summary>A node that leads the channel at a term for as long as nobody fences it, and fails in every way that a node can: before it has appended, and after.</summary>
internal sealed class FaultyNode
{
    private readonly FakeNode _node;
    private readonly FencedLog _log;
    private readonly Random _random;
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _term;

    public FaultyNode(FakeNode node, FencedLog log, int seed)
    {
        (_node, _log, _random) = (node, log, new Random(seed));
        node.Answer = (context, received, _) => AnswerAsync(context, received);
    }

    public FakeNode Node => _node;

    /// <summary>How often a request is met by a fault, of a hundred.</summary>
    public int FaultsPercent { get; set; } = 40;

    /// <summary>From now on it leads.</summary>
    public void Lead(long term)
    {
        _log.Fence(term);
        Volatile.Write(ref _term, term);
    }

    /// <summary>What is still waiting in it ends.</summary>
    public void End() => _end.TrySetResult();

    private async Task AnswerAsync(HttpContext context, ReceivedRequest request)
    {
        var fault = Draw();
        var term = Volatile.Read(ref _term);
        switch (fault)
        {
            case 0:
                await FakeNode.Reset(context);
                return;
            case 1:
                await FakeNode.Refused(context, ApiErrorCode.Unavailable);
                return;
            case 2:
                await FakeNode.Refused(context, ApiErrorCode.NotLeader);
                return;
            case 3:
                await FakeNode.Silent(context);
                return;
            case 4:
                // Late: the gateway has given it up long before, and has sent it again, and perhaps what came after it.
                _ = LateAsync(request, term);
                await FakeNode.Silent(context);
                return;
        }

        AppendResponse? appended;
        try
        {
            appended = Append(request, term);
        }
        catch (ApiException e)
        {
            await FakeNode.Refused(context, e.Error.Code, e.Error.Detail);
            return;
        }

        if (appended is null)
        {
            await FakeNode.Refused(context, ApiErrorCode.NotLeader);
            return;
        }

        switch (fault)
        {
            case 5:
                await FakeNode.Reset(context);
                return;
            case 6:
                await FakeNode.HalfAnAnswer(context);
                return;
            case 7:
                await FakeNode.Silent(context);
                return;
            default:
                await context.Response.WriteAsJsonAsync(appended, BatonJson.Options);
                return;
        }
    }

    private async Task LateAsync(ReceivedRequest request, long term)
    {
        await Task.WhenAny(_end.Task, Task.Delay(Delay()));
        try
        {
            Append(request, term);
        }
        catch (ApiException)
        {
            // Refused, as it must be once its producer has gone on.
        }
    }

    private AppendResponse? Append(ReceivedRequest request, long term)
    {
        using var body = JsonDocument.Parse(request.Body);
        var stamp = request.Stamp!.Split(';');
        return _log.Append(term, body.RootElement.GetProperty("messages")[0].GetProperty("payload").GetString()!, stamp[0], long.Parse(stamp[1], CultureInfo.InvariantCulture));
    }

    private int Draw()
    {
        lock (_lock)
        {
            return _random.Next(100) < FaultsPercent ? _random.Next(8) : -1;
        }
    }

    private int Delay()
    {
        lock (_lock)
        {
            return _random.Next(400);
        }
    }
}
