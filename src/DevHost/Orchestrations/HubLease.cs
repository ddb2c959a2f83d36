using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace Baton.DevHost.Orchestrations;

/// <summary>The right to run a hub. The newest engine gets it: it breaks the lease of the one before, which then stops.</summary>
/// <remarks>
/// A developer who starts a host again after a crash should not wait for a lease to run out. Two engines can so be at work for one
/// renewal interval; the conditional commits of <see cref="HubStore"/> keep that harmless, and an engine whose commit is refused asks here at once.
/// </remarks>
internal sealed class HubLease
{
    /// <summary>How long it lasts without a renewal.</summary>
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(15);

    private readonly BlobLeaseClient _lease;
    private readonly TimeProvider _time;
    private readonly string _hubName;
    private long _renewedAt;

    private HubLease(BlobLeaseClient lease, string hubName, TimeProvider time) => (_lease, _hubName, _time, _renewedAt) = (lease, hubName, time, time.GetTimestamp());

    /// <summary>Takes the hub.</summary>
    /// <exception cref="InvalidOperationException">Another engine took it in the same moment.</exception>
    public static async Task<HubLease> TakeAsync(BlobServiceClient blobs, string hubName, TimeProvider time, CancellationToken ct)
    {
        var container = blobs.GetBlobContainerClient($"{hubName.ToLowerInvariant()}-leases");
        await container.CreateIfNotExistsAsync(cancellationToken: ct);
        var blob = container.GetAppendBlobClient("owner");
        await blob.CreateIfNotExistsAsync(cancellationToken: ct);
        var lease = blob.GetBlobLeaseClient();
        try
        {
            await lease.AcquireAsync(Duration, cancellationToken: ct);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.LeaseAlreadyPresent)
        {
            await blob.GetBlobLeaseClient().BreakAsync(TimeSpan.Zero, cancellationToken: ct);
            try
            {
                await lease.AcquireAsync(Duration, cancellationToken: ct);
            }
            catch (RequestFailedException again) when (again.ErrorCode == BlobErrorCode.LeaseAlreadyPresent)
            {
                throw new InvalidOperationException($"Hub '{hubName}' was taken by another engine in the same moment. Run one host per hub.", again);
            }
        }

        return new HubLease(lease, hubName, time);
    }

    /// <summary>Renews the lease now.</summary>
    /// <exception cref="HubLostException">Another engine has it, or it could not be renewed before it ran out.</exception>
    public async Task RenewAsync(CancellationToken ct)
    {
        var asked = _time.GetTimestamp();
        try
        {
            await _lease.RenewAsync(cancellationToken: ct);
            Interlocked.Exchange(ref _renewedAt, asked);
        }
        catch (RequestFailedException e) when (e.Status is 404 or 409 or 412)
        {
            throw new HubLostException($"Hub '{_hubName}' has been taken by another engine.", e);
        }
        catch (Exception e) when (!ct.IsCancellationRequested && StorageRetry.IsStorageFault(e) && _time.GetElapsedTime(Interlocked.Read(ref _renewedAt)) > Duration)
        {
            throw new HubLostException($"The lease on hub '{_hubName}' ran out: storage did not answer for {Duration.TotalSeconds} seconds.", e);
        }
    }

    /// <summary>Renews the lease until it is lost.</summary>
    public async Task KeepAsync(TimeSpan every, ILogger log, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(every, _time);
        while (await timer.WaitForNextTickAsync(ct))
        {
            try
            {
                await RenewAsync(ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested && StorageRetry.IsStorageFault(e))
            {
                log.LogWarning(e, "The lease on hub {Hub} could not be renewed; trying again.", _hubName);
            }
        }
    }

    public Task ReleaseAsync(CancellationToken ct) => _lease.ReleaseAsync(cancellationToken: ct);
}

/// <summary>Another engine has the hub: this one must stop.</summary>
internal sealed class HubLostException(string message, Exception? innerException) : Exception(message, innerException);
