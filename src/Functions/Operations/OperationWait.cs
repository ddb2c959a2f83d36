namespace Baton.Functions.Operations;

/// <summary>Waits for an operation's end by reading its head row: the row is what counts, wherever the work runs.</summary>
internal sealed class OperationWait(OperationStore operations, TimeProvider time)
{
    private static readonly TimeSpan FirstPoll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPoll = TimeSpan.FromMilliseconds(200);

    /// <summary>The head at the operation's end, or as it stands when the wait is over.</summary>
    public async Task<OperationHead> WaitAsync(string id, TimeSpan wait, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var poll = FirstPoll;
        while (true)
        {
            var head = await operations.ReadHeadAsync(id, cancellationToken) ?? throw new InvalidOperationException($"There is no operation {id} to wait for.");
            var left = wait - time.GetElapsedTime(began);
            if (!head.Running || left <= TimeSpan.Zero)
            {
                return head;
            }

            await Task.Delay(poll < left ? poll : left, time, cancellationToken);
            poll = poll * 2 < LongestPoll ? poll * 2 : LongestPoll;
        }
    }
}
