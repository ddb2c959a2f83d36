namespace Baton.Edge.Bodies;

/// <summary>Bounds of a request's body, the same at every door: a gateway must not take what a node then refuses.</summary>
public static class BodyLimits
{
    /// <summary>Bytes of a request's body.</summary>
    public const int BodyBytes = 8 * 1024 * 1024;

    /// <summary>Bytes of a larger body that are taken in and thrown away before it is refused. Above this the connection is closed.</summary>
    public const int DiscardedBytes = 256 * 1024 * 1024;

    /// <summary>An urgent body up to this long never waits for room: what clients send must not keep an order of the control plane from the channels that it is for.</summary>
    public const int OrderBytes = 64 * 1024;
}
