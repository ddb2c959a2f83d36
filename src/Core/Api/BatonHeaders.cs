namespace Baton.Core.Api;

/// <summary>Headers of Baton's own between its processes.</summary>
public static class BatonHeaders
{
    /// <summary>The term of the route by which a request came. A node that has not seen it yet finds out at once what it should lead, and lets the request wait for that for a short while.</summary>
    public const string Term = "X-Baton-Term";

    /// <summary>
    /// The stamp <c>id;sequence</c> of an append whose body has none: a gateway's, so that it may send the append again. A stamp in the body wins. What a node does with it is the same as with one in the body.
    /// </summary>
    public const string Producer = "X-Baton-Producer";

    /// <summary>The node that has sent a request on to the one that it takes for the leader. Whoever gets it answers it or says that it does not lead: one hop, never more.</summary>
    public const string Forwarded = "X-Baton-Forwarded";
}
