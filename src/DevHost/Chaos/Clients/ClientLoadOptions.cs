namespace Baton.DevHost.Chaos.Clients;

/// <summary>What clients a <see cref="ClientLoad"/> has for each channel.</summary>
public sealed record ClientLoadOptions
{
    /// <summary>A name that no other load on these logs has: it is in every message.</summary>
    public required string Name { get; init; }

    /// <summary>What the clients' pauses are drawn from.</summary>
    public int Seed { get; init; }

    /// <summary>Writers with a producer id of their own, each with one write outstanding.</summary>
    public int Producers { get; init; } = 1;

    /// <summary>Writers whose bodies have no producer, so that the gateway's stamps are all that keeps a repeat from being written twice.</summary>
    public int Plain { get; init; } = 1;

    /// <summary>Clients that run transactions of one to three messages, one after the other.</summary>
    public int Transactions { get; init; } = 1;

    /// <summary>Readers that follow the channel.</summary>
    public int Readers { get; init; } = 1;

    /// <summary>Pauses between one client's requests are drawn from 0 to below this (milliseconds).</summary>
    public int LongestPauseMs { get; init; } = 30;
}
