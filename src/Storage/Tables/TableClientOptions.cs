using Azure.Core;

namespace Baton.Storage.Tables;

/// <summary>How a <see cref="TableServiceClient"/> talks to the Table service.</summary>
/// <remarks>
/// The defaults are for a control plane that must decide within a second: short delays, few attempts, a call given up
/// after ten seconds. <see cref="ClientOptions.Retry"/>'s delay, maximum delay and count are honoured, always as exponential back-off with jitter.
/// </remarks>
public sealed class TableClientOptions : ClientOptions
{
    /// <summary>The defaults: 4 retries, 50 ms doubling to 2 s, 10 s a call.</summary>
    public TableClientOptions()
    {
        Retry.MaxRetries = 4;
        Retry.Delay = TimeSpan.FromMilliseconds(50);
        Retry.MaxDelay = TimeSpan.FromSeconds(2);
        Retry.NetworkTimeout = TimeSpan.FromSeconds(10);
    }
}
