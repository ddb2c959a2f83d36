using System.CommandLine;

namespace Baton.Bench;

/// <summary>Options that are whole numbers with bounds.</summary>
internal static class WholeNumber
{
    /// <summary>An option of <paramref name="least"/> to <paramref name="most"/>, which its description says and its parsing holds.</summary>
    public static Option<int> Option(string name, string description, int least, int most, Func<int> otherwise)
    {
        var option = new Option<int>(name) { Description = $"{description}, {least} to {most}.", DefaultValueFactory = _ => otherwise() };
        option.Validators.Add(result =>
        {
            var value = result.GetValueOrDefault<int>();
            if (value < least || value > most)
            {
                result.AddError($"{name} must be {least} to {most}, got {value}.");
            }
        });
        return option;
    }
}
