using System.Globalization;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.Storage.Tables;

/// <summary>Signs a request by the Table service's SharedKeyLite scheme: date and resource, nothing of the body.</summary>
/// <remarks>
/// Runs once for every attempt, since the service refuses a date older than fifteen minutes. With a path-style endpoint (the local emulator's)
/// the account name stands twice in the resource: once for the account, once because it is part of the path.
/// </remarks>
internal sealed class TableSharedKeyPolicy(TableSharedKeyCredential credential, TimeProvider time) : HttpPipelineSynchronousPolicy
{
    public override void OnSendingRequest(HttpMessage message)
    {
        var date = time.GetUtcNow().ToString("R", CultureInfo.InvariantCulture);
        var uri = message.Request.Uri.ToUri();
        var path = uri.AbsolutePath.Length == 0 ? "/" : uri.AbsolutePath;
        message.Request.Headers.SetValue("x-ms-date", date);
        message.Request.Headers.SetValue("Authorization", $"SharedKeyLite {credential.AccountName}:{credential.Sign($"{date}\n/{credential.AccountName}{path}")}");
    }
}
