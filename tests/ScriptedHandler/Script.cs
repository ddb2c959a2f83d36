namespace Baton.ScriptedHandler;

/// <summary>A request that the handler got, on its way to the test.</summary>
public sealed record HandlerRequest(int ProcessId, string Method, string PathAndQuery, IReadOnlyDictionary<string, string> Headers, byte[] Body);

/// <summary>What the test wants the handler to answer.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="ContentType">Null for none.</param>
/// <param name="Body">The body.</param>
/// <param name="Headers">Further headers.</param>
/// <param name="ExitCode">Instead of answering, end the process.</param>
public sealed record HandlerAnswer(int Status, string? ContentType, byte[] Body, IReadOnlyDictionary<string, string>? Headers = null, int? ExitCode = null);
