using Azure;
using Azure.Identity;
using Baton.Cli.Text;
using Baton.Storage.Wal;

namespace Baton.Cli;

/// <summary>What every command ends with.</summary>
internal static class ExitCode
{
    /// <summary>Looked at everything, and nothing is wrong.</summary>
    public const int Clean = 0;

    /// <summary>Something is damaged.</summary>
    public const int Damaged = 1;

    /// <summary>Could not look: arguments, account, network.</summary>
    public const int CannotLook = 2;

    /// <summary>Runs a command; what keeps it from looking is told in a sentence, not by a stack.</summary>
    public static async Task<int> OfAsync(Func<Task<int>> command)
    {
        try
        {
            return await command();
        }
        catch (CannotLookException failure)
        {
            return await CannotLookAsync(failure.Message, failure.Advice);
        }
        catch (WalFaultedException failure)
        {
            return await CannotLookAsync($"{failure.Message} {Cause(failure)}", "Check the address, the network, and what this identity or key may do; then try again.");
        }
        catch (AuthenticationFailedException failure)
        {
            return await CannotLookAsync($"No identity could be used: {FirstLine(failure.Message)}", "Sign in (az login), or set Storage__ConnectionString.");
        }
        catch (IOException failure)
        {
            return await CannotLookAsync($"The output could not be written: {FirstLine(failure.Message)}.", "What was printed is not the whole.");
        }
        catch (OperationCanceledException)
        {
            return await CannotLookAsync("Stopped before the end.", "What was printed is not the whole.");
        }
    }

    /// <summary>Says why nothing could be looked at, and what to do.</summary>
    public static async Task<int> CannotLookAsync(string problem, string advice)
    {
        await Console.Error.WriteLineAsync(Secrets.Hide($"{problem.Trim()} {advice}"));
        return CannotLook;
    }

    // The innermost cause names the address that refused; only its first line is meant for people.
    private static string Cause(Exception failure)
    {
        var innermost = failure;
        while (innermost.InnerException is { } inner)
        {
            innermost = inner;
        }

        return ReferenceEquals(innermost, failure) || innermost is RequestFailedException { Status: not 0 } ? string.Empty : $"({FirstLine(innermost.Message)})";
    }

    private static string FirstLine(string text) => text.Split('\n', 2)[0].Trim();
}

/// <summary>A command cannot look at what it was asked to.</summary>
internal sealed class CannotLookException(string problem, string advice) : Exception(problem)
{
    /// <summary>What to do about it.</summary>
    public string Advice { get; } = advice;
}
