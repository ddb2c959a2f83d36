using System.Globalization;

namespace Baton.DevHost.FunctionsHost;

/// <summary>What a <see cref="CrashPoint"/> kills.</summary>
public enum CrashScope
{
    /// <summary>The handler and this process: the whole instance is gone.</summary>
    HandlerAndHost,

    /// <summary>The handler only: the host lives and applies its exit-code rules.</summary>
    Handler,
}

/// <summary>Where to crash, so that a test can stop a control plane at an exact step.</summary>
/// <param name="Function">The function (its folder's name).</param>
/// <param name="After">False: before the call is sent. True: once the answer is here and before anything of it is recorded.</param>
/// <param name="Nth">Which call of the function since the host started or was given this point, from 1.</param>
/// <param name="Scope">What is killed, by SIGKILL.</param>
public sealed record CrashPoint(string Function, bool After, int Nth, CrashScope Scope = CrashScope.HandlerAndHost)
{
    /// <summary>The form that <see cref="Parse"/> reads.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Function}:{(After ? "after" : "before")}:{Nth}{(Scope == CrashScope.Handler ? ":handler" : "")}");

    /// <summary>Reads <c>Function:before|after:Nth[:handler]</c>.</summary>
    /// <exception cref="FormatException">It has another form.</exception>
    public static CrashPoint Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split(':');
        return parts is [{ Length: > 0 } function, "before" or "after", var nth, ..]
            && int.TryParse(nth, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count > 0
            && parts[3..] is [] or ["handler"]
            ? new CrashPoint(function, parts[1] == "after", count, parts.Length == 4 ? CrashScope.Handler : CrashScope.HandlerAndHost)
            : throw new FormatException($"\"{text}\" is no crash point; write Function:before:1, Function:after:2 or, to kill the handler only, Function:before:1:handler.");
    }
}
