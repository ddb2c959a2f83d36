using System.Diagnostics.CodeAnalysis;
using Baton.Core.Api;

namespace Baton.Gateway.Routing;

/// <summary>Where the requests of one channel go, as the route says. A later route that says otherwise makes another and leaves this one.</summary>
/// <param name="leader">The channel's leader; null while it is offline.</param>
/// <param name="time">The clock of the turns.</param>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The token source has no timer, and whoever still looks at its token must find it as it is.")]
internal sealed class Destination(RouteEntry? leader, TimeProvider time)
{
    private readonly CancellationTokenSource _left = new();

    /// <summary>Whom to send to; null while no live node can lead the channel.</summary>
    public RouteEntry? Leader { get; } = leader;

    /// <summary>Who may try it next, while it fails.</summary>
    public Turns Turns { get; } = new(time);

    /// <summary>Is cancelled when the route says otherwise: what is under way there may be given up, and who waits looks again.</summary>
    public CancellationToken Left => _left.Token;

    /// <summary>The route says otherwise. Ends when all who waited for that have been told.</summary>
    public Task LeaveAsync() => _left.CancelAsync();
}
