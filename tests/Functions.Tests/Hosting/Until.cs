using System.Diagnostics;

namespace Baton.Functions.Tests.Hosting;

internal static class Until
{
    /// <summary>Waits for <paramref name="condition"/>; a minute is far more than any of these tests needs.</summary>
    public static async Task TrueAsync(Func<bool> condition)
    {
        var started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(1), "the condition did not come true");
            await Task.Delay(10);
        }
    }
}
