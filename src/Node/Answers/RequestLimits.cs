namespace Baton.Node.Answers;

/// <summary>What one request may ask for, beside the channel's own limits. Each bound keeps one caller from taking the memory of the others.</summary>
internal static class RequestLimits
{
    /// <summary>JSON objects of one body; a request of the most messages needs a few thousand.</summary>
    public const int Objects = 16 * 1024;

    /// <summary>Channels of one order to open; twice what a node is meant to lead.</summary>
    public const int ChannelsOpened = 20_000;

    /// <summary>Messages of one answer, but for a whole transaction.</summary>
    public const int Messages = 1_000;

    /// <summary>Payload bytes of one answer, but for a whole transaction.</summary>
    public const int AnswerBytes = 4 * 1024 * 1024;

    /// <summary>Payload bytes of one local transaction: readers get it in one answer.</summary>
    public const int TransactionBytes = 16 * 1024 * 1024;

    /// <summary>Milliseconds of a long poll.</summary>
    public const int WaitMs = 60_000;
}
