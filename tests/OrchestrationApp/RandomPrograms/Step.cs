using System.Text.Json.Serialization;

namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>A piece of a random program. What it gives is text that follows from the program alone, whatever dies meanwhile.</summary>
/// <param name="Key">Unique in its plan. Tasks, events and children are named after it.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "do")]
[JsonDerivedType(typeof(InOrder), "inOrder")]
[JsonDerivedType(typeof(AtOnce), "atOnce")]
[JsonDerivedType(typeof(Call), "call")]
[JsonDerivedType(typeof(Refused), "refused")]
[JsonDerivedType(typeof(Detached), "detached")]
[JsonDerivedType(typeof(Pause), "pause")]
[JsonDerivedType(typeof(TimerWins), "timerWins")]
[JsonDerivedType(typeof(ActivityWins), "activityWins")]
[JsonDerivedType(typeof(LateActivity), "lateActivity")]
[JsonDerivedType(typeof(TellSelf), "tellSelf")]
[JsonDerivedType(typeof(AskOutside), "askOutside")]
[JsonDerivedType(typeof(Ids), "ids")]
[JsonDerivedType(typeof(Clock), "clock")]
[JsonDerivedType(typeof(Status), "status")]
[JsonDerivedType(typeof(Child), "child")]
public abstract record Step(string Key);

/// <summary>One after the other.</summary>
public sealed record InOrder(string Key, IReadOnlyList<Step> Steps) : Step(Key);

/// <summary>All at once, until all have ended.</summary>
public sealed record AtOnce(string Key, IReadOnlyList<Step> Steps) : Step(Key);

/// <summary>An activity whose first runs fail and are retried.</summary>
/// <param name="Key">Its task.</param>
/// <param name="Value">Its effect.</param>
/// <param name="Failures">Runs that fail.</param>
/// <param name="Bytes">Noise in its result beside the value.</param>
/// <param name="Ms">How long it works.</param>
public sealed record Call(string Key, string Value, int Failures, int Bytes, int Ms) : Step(Key);

/// <summary>An activity that fails at every attempt; the failure is caught.</summary>
public sealed record Refused(string Key, int Attempts) : Step(Key);

/// <summary>An activity that nobody awaits. The orchestration does not end before it has.</summary>
public sealed record Detached(string Key, string Value) : Step(Key);

/// <summary>A timer.</summary>
public sealed record Pause(string Key, int Ms) : Step(Key);

/// <summary>A short timer against an event that nobody sends.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Ms">The timer.</param>
/// <param name="AsTimeout">Whether the wait itself has the timeout.</param>
public sealed record TimerWins(string Key, int Ms, bool AsTimeout) : Step(Key);

/// <summary>An activity against a timer of hours, which is cancelled.</summary>
public sealed record ActivityWins(string Key, string Value, int Hours) : Step(Key);

/// <summary>A short timer against an activity that is refused until something later than the timer is done. The loser cannot be cancelled and is awaited last.</summary>
public sealed record LateActivity(string Key, int Ms) : Step(Key);

/// <summary>An event from the instance to itself.</summary>
/// <param name="Key">The event is named after it.</param>
/// <param name="Bytes">Noise in its payload.</param>
/// <param name="WaitsFirst">Whether the wait begins before the event is sent.</param>
/// <param name="Meanwhile">What is done between sending and taking it.</param>
public sealed record TellSelf(string Key, int Bytes, bool WaitsFirst, Step Meanwhile) : Step(Key);

/// <summary>An activity asks the world outside for an event, which is then waited for.</summary>
public sealed record AskOutside(string Key) : Step(Key);

/// <summary>Two new ids, recorded outside, that must differ from each other and be the same in every replay.</summary>
public sealed record Ids(string Key) : Step(Key);

/// <summary>The turn's time, recorded outside, that must be the same in every replay and never go back.</summary>
public sealed record Clock(string Key) : Step(Key);

/// <summary>A custom status.</summary>
public sealed record Status(string Key) : Step(Key);

/// <summary>A sub-orchestration. If it fails, the failure is caught.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Plan">What it runs.</param>
/// <param name="HasName">Whether it has an instance id of the program's making.</param>
/// <param name="Tells">Whether it sends an event to its parent, which waits for that first.</param>
/// <param name="Attempts">How often it may fail, and once more.</param>
public sealed record Child(string Key, Plan Plan, bool HasName, Telling Tells, int Attempts) : Step(Key);

/// <summary>When a child sends its parent an event.</summary>
public enum Telling
{
    Never,
    First,
    Last,
}
