using System.Text.Json.Serialization;
using Baton.Core.Api;

namespace Baton.Durable;

/// <summary>Why an activity or orchestration failed, in a form that crosses processes.</summary>
/// <param name="ErrorType">The full name of the exception's type.</param>
/// <param name="ErrorMessage">Its message.</param>
/// <param name="StackTrace">Where it was thrown.</param>
/// <param name="InnerFailure">What caused it.</param>
/// <param name="Properties">What else is known of it, by name: null, text, numbers as <see cref="double"/>, booleans, lists and dictionaries of these.</param>
public record TaskFailureDetails(
    string ErrorType,
    string ErrorMessage,
    string? StackTrace,
    TaskFailureDetails? InnerFailure,
    IDictionary<string, object?>? Properties)
{
    private const string ApiCodeProperty = "apiCode";

    // A failure is kept in the history of every instance that sees it; these bound it, far above what is useful to read.
    private const int MaxTextLength = 8_192;
    private const int MaxInnerFailures = 8;

    /// <summary>Another attempt cannot succeed, so no retry policy makes one.</summary>
    public bool IsNonRetriable { get; init; }

    /// <summary>The API's code, when the failure was an <see cref="ApiException"/>.</summary>
    [JsonIgnore]
    public ApiErrorCode? ApiCode
        => Properties?.TryGetValue(ApiCodeProperty, out object? value) is true && Enum.TryParse(value as string, out ApiErrorCode code) ? code : null;

    /// <summary>The details of <paramref name="exception"/>. Those of a failed task are the inner failure of the exception that reported it.</summary>
    public static TaskFailureDetails FromException(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return FromException(exception, MaxInnerFailures);
    }

    /// <summary>Whether this failure, leaving its causes aside, was a <typeparamref name="T"/> or a type derived from it.</summary>
    public bool IsCausedBy<T>()
        where T : Exception
        => IsCausedBy(typeof(T));

    /// <summary>
    /// Whether this failure, leaving its causes aside, was a <paramref name="targetBaseExceptionType"/> or a type derived from it.
    /// The failure's type is looked up by name among the loaded assemblies; one that is not there is only ever itself.
    /// </summary>
    /// <exception cref="ArgumentException">The type is not that of an exception.</exception>
    public bool IsCausedBy(Type targetBaseExceptionType)
    {
        ArgumentNullException.ThrowIfNull(targetBaseExceptionType);
        if (!typeof(Exception).IsAssignableFrom(targetBaseExceptionType))
        {
            throw new ArgumentException($"{targetBaseExceptionType} is not an exception's type.", nameof(targetBaseExceptionType));
        }

        return string.Equals(ErrorType, targetBaseExceptionType.FullName, StringComparison.Ordinal)
            || ExceptionTypes.Named(ErrorType).Any(targetBaseExceptionType.IsAssignableFrom);
    }

    /// <summary>The error for the API's caller, when this failure or one of its causes was an <see cref="ApiException"/>.</summary>
    public ApiError? ToApiError() => ApiCode is { } code ? new ApiError(code, ErrorMessage) : InnerFailure?.ToApiError();

    /// <summary>Type and message.</summary>
    public override string ToString() => $"{ErrorType}: {ErrorMessage}";

    private static TaskFailureDetails FromException(Exception exception, int innerFailures)
    {
        TaskFailureDetails? inner = exception switch
        {
            TaskFailedException failed => failed.FailureDetails,
            { InnerException: { } cause } when innerFailures > 0 => FromException(cause, innerFailures - 1),
            _ => null,
        };
        ApiErrorCode? code = (exception as ApiException)?.Error.Code;
        string type = exception.GetType().FullName ?? exception.GetType().Name;
        string? stackTrace = exception.StackTrace is { } trace ? Cut(trace) : null;
        Dictionary<string, object?>? properties = code is null ? null : new(StringComparer.Ordinal) { [ApiCodeProperty] = code.ToString() };
        return new TaskFailureDetails(type, Cut(exception.Message ?? string.Empty), stackTrace, inner, properties)
        {
            IsNonRetriable = code is ApiErrorCode.InvalidArgument or ApiErrorCode.PayloadTooLarge,
        };
    }

    private static string Cut(string text) => text.Length <= MaxTextLength ? text : string.Concat(text.AsSpan(0, MaxTextLength), "…");
}
