using Baton.Core.Cdc;

namespace Baton.Node.Cdc;

/// <summary>Section <c>Cdc</c>: how leaders send their records to other clusters.</summary>
internal sealed class CdcSettings
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Cdc";

    /// <summary>Records of one request. More need fewer round trips; a target takes 1,000 at most.</summary>
    public int MaxRecords { get; set; } = 500;

    /// <summary>Bytes of one request's JSON. More need fewer round trips and take that much memory twice, here and in the target, which takes 8 MiB at most; a record that alone is more goes alone.</summary>
    public int MaxBodyBytes { get; set; } = 2 * 1024 * 1024;

    /// <summary>Bytes of open transactions that one task keeps in memory, so that their commits need no second read of the log. Beyond it they are read back.</summary>
    public int KeptBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>Milliseconds that one call to a target may take. It must be longer than a slow write there; one that is given up is asked about and, where it was lost, sent again.</summary>
    public int RequestTimeoutMs { get; set; } = 10_000;

    /// <summary>Milliseconds before a task tries again after a failure; doubled up to <see cref="RetryMaxDelayMs"/>.</summary>
    public int RetryDelayMs { get; set; } = 100;

    /// <summary>The longest pause between two tries, and the pause after an answer that trying again cannot change soon.</summary>
    public int RetryMaxDelayMs { get; set; } = 10_000;

    /// <summary>What one request may hold.</summary>
    public DeliveryLimits Limits => new(MaxRecords, MaxBodyBytes);

    /// <summary>Throws when a value makes no sense.</summary>
    /// <exception cref="InvalidOperationException">One does not; the message names it.</exception>
    public void Validate()
    {
        Check(nameof(MaxRecords), MaxRecords, 1, 1_000);
        Check(nameof(MaxBodyBytes), MaxBodyBytes, 1_024, 6 * 1024 * 1024);
        Check(nameof(KeptBytes), KeptBytes, 0, 1024 * 1024 * 1024);
        Check(nameof(RequestTimeoutMs), RequestTimeoutMs, 100, 600_000);
        Check(nameof(RetryDelayMs), RetryDelayMs, 1, 60_000);
        Check(nameof(RetryMaxDelayMs), RetryMaxDelayMs, 1, 600_000);
        if (RetryMaxDelayMs < RetryDelayMs)
        {
            throw new InvalidOperationException($"{Section}:{nameof(RetryMaxDelayMs)} is {RetryMaxDelayMs}: give at least {Section}:{nameof(RetryDelayMs)}, which is {RetryDelayMs}.");
        }
    }

    private static void Check(string setting, int value, int least, int most)
    {
        if (value < least || value > most)
        {
            throw new InvalidOperationException($"{Section}:{setting} is {value}: give a number from {least} to {most}.");
        }
    }
}
