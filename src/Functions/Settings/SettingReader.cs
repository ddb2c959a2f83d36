using System.Globalization;
using System.Numerics;
using Baton.Core.Api;
using Microsoft.Extensions.Options;

namespace Baton.Functions.Settings;

/// <summary>A setting that the app cannot start with. Says its name, its value (never a secret's) and what to write instead.</summary>
internal sealed class InvalidSettingException(string name, string? value, string fix)
    : OptionsValidationException(name, typeof(string), [$"Setting '{name}' {(value is null ? "is missing" : $"is '{value}'")}: {fix}"]);

/// <summary>Reads single settings, strictly: a value that does not fit stops the start instead of becoming a default.</summary>
internal static class SettingReader
{
    private const int MinSecretLength = 16;

    /// <summary>An id of http-api.md's form that must be there.</summary>
    public static string RequiredId(this IConfiguration configuration, string name)
    {
        var value = configuration[name];
        return value is not null && Names.IsValidId(value)
            ? value
            : throw new InvalidSettingException(name, value, "use 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit.");
    }

    /// <summary>A secret that must be there and must not be guessable by its length. Its value appears in no message.</summary>
    public static string RequiredSecret(this IConfiguration configuration, string name) =>
        configuration.OptionalSecret(name) ?? throw new InvalidSettingException(name, null, $"set a random text of {MinSecretLength} characters or more, the same on every node.");

    /// <summary>A secret that may be absent (null), but must not be guessable by its length.</summary>
    public static string? OptionalSecret(this IConfiguration configuration, string name) => configuration[name] switch
    {
        null or "" => null,
        { Length: < MinSecretLength } value => throw new InvalidSettingException(name, "(hidden)", $"it has {value.Length} characters; use {MinSecretLength} or more."),
        var secret => secret,
    };

    /// <summary>true or false; <paramref name="byDefault"/> when absent.</summary>
    public static bool Switch(this IConfiguration configuration, string name, bool byDefault)
    {
        var value = configuration[name];
        return string.IsNullOrEmpty(value) ? byDefault
            : bool.TryParse(value, out var parsed) ? parsed
            : throw new InvalidSettingException(name, value, "use true or false.");
    }

    /// <summary>One of the names of <typeparamref name="T"/>; <paramref name="byDefault"/> when absent.</summary>
    public static T Choice<T>(this IConfiguration configuration, string name, T byDefault)
        where T : struct, Enum
    {
        var value = configuration[name];
        return string.IsNullOrEmpty(value) ? byDefault
            : Enum.GetNames<T>().Contains(value, StringComparer.OrdinalIgnoreCase) ? Enum.Parse<T>(value, ignoreCase: true)
            : throw new InvalidSettingException(name, value, $"use one of {string.Join(", ", Enum.GetNames<T>())}.");
    }

    /// <summary>A duration in whole milliseconds between the bounds; <paramref name="byDefault"/> when absent.</summary>
    public static TimeSpan Milliseconds(this IConfiguration configuration, string name, int byDefault, int min, int max)
    {
        var value = configuration[name];
        if (string.IsNullOrEmpty(value))
        {
            return TimeSpan.FromMilliseconds(byDefault);
        }

        return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) && parsed >= min && parsed <= max
            ? TimeSpan.FromMilliseconds(parsed)
            : throw new InvalidSettingException(name, value, $"use whole milliseconds from {min} to {max}.");
    }

    /// <summary>A whole number between the bounds; <paramref name="byDefault"/> when absent.</summary>
    public static T Whole<T>(this IConfiguration configuration, string name, T byDefault, T min, T max)
        where T : struct, IBinaryInteger<T>
    {
        var value = configuration[name];
        if (string.IsNullOrEmpty(value))
        {
            return byDefault;
        }

        return T.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) && parsed >= min && parsed <= max
            ? parsed
            : throw new InvalidSettingException(name, value, $"use a whole number from {min} to {max}.");
    }
}
