using Baton.Core.Api;

namespace Baton.Node.Replicas;

/// <summary>Reading what this node itself has, be it behind.</summary>
internal static class LocalReads
{
    /// <summary>Whether the caller asks for this node's own copy.</summary>
    /// <exception cref="ApiException">InvalidArgument.</exception>
    public static bool Asked(IQueryCollection query) => query["local"].ToString() switch
    {
        "" or "false" => false,
        "true" => true,
        _ => throw new ApiException(ApiErrorCode.InvalidArgument, "local must be true or false"),
    };
}
