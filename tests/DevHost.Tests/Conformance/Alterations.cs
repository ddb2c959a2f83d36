using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>Every way to spoil one event of a history by one field, found by reflection, so that a field nobody thought of is altered as well.</summary>
internal static class Alterations
{
    // All that the normal form does not look at; docs/conformance.md says why.
    private static readonly string[] NotCompared =
    [
        ".timestamp",
        ".executionStarted.orchestrationInstance",
        ".executionStarted.parentInstance.orchestrationInstance.executionId",
        ".timerFired.fireAt",
        ".failureDetails.errorType",
        ".failureDetails.stackTrace",
        ".innerFailure.errorType",
        ".innerFailure.stackTrace",
        ".innerFailure.isNonRetriable",
    ];

    /// <summary>The event with one field altered, and which.</summary>
    public static IEnumerable<(string Field, HistoryEvent Altered)> Of(HistoryEvent original) =>
        from path in Paths(original, [])
        let field = string.Concat(path.Select(part => $".{part.JsonName}"))
        where !NotCompared.Any(ignored => field.EndsWith(ignored, StringComparison.Ordinal) || field.StartsWith($"{ignored}.", StringComparison.Ordinal))
        where field != ".eventId" || IsAsked(original)
        select (field, Alter(original.Clone(), path));

    // Only what the code asks for has an id of its own.
    private static bool IsAsked(HistoryEvent e) => e.EventTypeCase
        is EventType.TaskScheduled or EventType.TimerCreated or EventType.SubOrchestrationInstanceCreated or EventType.EventSent;

    private static IEnumerable<FieldDescriptor[]> Paths(IMessage message, FieldDescriptor[] above) =>
        message.Descriptor.Fields.InDeclarationOrder()
            .Where(field => !field.IsRepeated && field.Accessor.GetValue(message) is not null)
            .Where(field => field.RealContainingOneof is not { } oneof || oneof.Accessor.GetCaseFieldDescriptor(message) == field)
            .SelectMany(field => field.Accessor.GetValue(message) switch
            {
                Timestamp or not IMessage => [[.. above, field]],
                IMessage inner => Paths(inner, [.. above, field]),
            });

    private static HistoryEvent Alter(HistoryEvent e, FieldDescriptor[] path)
    {
        IMessage holder = e;
        foreach (var field in path.SkipLast(1))
        {
            holder = (IMessage)field.Accessor.GetValue(holder);
        }

        var last = path[^1];
        last.Accessor.SetValue(holder, last.Accessor.GetValue(holder) switch
        {
            string text => $"{text}x",
            int number => number + 1_000,
            bool flag => !flag,
            Timestamp time => time + Duration.FromTimeSpan(TimeSpan.FromSeconds(1)),
            OrchestrationStatus status => status == OrchestrationStatus.Running ? OrchestrationStatus.Pending : OrchestrationStatus.Running,
            var other => throw new InvalidOperationException($"{last.FullName}: {other} cannot be altered."),
        });
        return e;
    }
}
