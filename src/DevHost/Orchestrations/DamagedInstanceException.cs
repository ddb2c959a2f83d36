namespace Baton.DevHost.Orchestrations;

/// <summary>Rows of an instance are missing or make no sense. That is the end of this instance, and no concern of any other.</summary>
internal sealed class DamagedInstanceException(string instanceId, string damage, Exception? innerException = null)
    : Exception($"The rows of instance '{instanceId}' are damaged: {damage}", innerException)
{
    /// <summary>Whose rows.</summary>
    public string InstanceId { get; } = instanceId;

    /// <summary>Reads stored bytes. It calls nothing outside, so that whatever it throws says that the bytes are wrong.</summary>
    public static T Guard<T>(string instanceId, string what, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (OutOfMemoryException or DamagedInstanceException))
        {
            throw new DamagedInstanceException(instanceId, $"{what} cannot be read ({e.GetType().Name}: {e.Message})", e);
        }
    }
}
