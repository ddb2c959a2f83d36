using System.Net;

namespace Baton.Functions.Tests.Hosting;

public sealed class StoppingTests
{
    [Fact]
    public async Task A_call_that_waits_when_the_app_stops_is_told_to_try_again()
    {
        var app = new SampleApp();
        await app.InitializeAsync();
        try
        {
            var call = app.Client.GetAsync(new Uri("/api/waits", UriKind.Relative));
            await Until.TrueAsync(() => app.Seen["waiting"] is not null);

            await app.StopAsync();

            using var response = await call;
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.Equal("1", response.Headers.RetryAfter?.ToString());
            Assert.Equal(0, app.Log.Errors("Waits"));
        }
        finally
        {
            await app.DisposeAsync();
        }
    }
}
