namespace Baton.Gateway.Forwarding;

/// <summary>Bounds what the answers under way take together. Nobody waits for room: an answer without it is passed on while it comes.</summary>
internal sealed class AnswerMemory(long maxBytes)
{
    private long _takenBytes;

    /// <summary>Takes <paramref name="bytes"/>, where there is room for them.</summary>
    public bool TryTake(int bytes)
    {
        if (Interlocked.Add(ref _takenBytes, bytes) <= maxBytes)
        {
            return true;
        }

        GiveBack(bytes);
        return false;
    }

    /// <summary>Gives back what was taken.</summary>
    public void GiveBack(int bytes) => Interlocked.Add(ref _takenBytes, -bytes);
}
