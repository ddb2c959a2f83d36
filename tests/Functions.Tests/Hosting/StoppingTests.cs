using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;

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

    // Any other answer would end the instance for good.
    [Fact]
    public async Task A_turn_that_arrives_while_the_app_stops_is_asked_for_again()
    {
        var app = new SampleApp();
        await app.InitializeAsync();
        try
        {
            var turn = Convert.ToBase64String(new OrchestratorRequest { InstanceId = "order-1-1" }.ToByteArray());
            var envelope = new JsonObject { ["Data"] = new JsonObject { ["context"] = HostCalls.Encoded(turn) } };
            using var patient = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) }) { BaseAddress = app.Client.BaseAddress };
            using var body = new HeldBody(System.Text.Encoding.UTF8.GetBytes(envelope.ToJsonString()));
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/Ordering", UriKind.Relative)) { Content = body };
            request.Headers.ExpectContinue = true;
            var call = patient.SendAsync(request);
            await body.Wanted;

            var stopped = app.StopAsync();
            await Until.TrueAsync(() => app.IsStopping);
            body.Release();

            using var response = await call;
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["ReturnValue"]!.GetValue<string>();
            var turned = OrchestratorResponse.Parser.ParseFrom(Convert.FromBase64String(answer));
            Assert.Equal("order-1-1", turned.InstanceId);
            Assert.Equal("System.OutOfMemoryException", Assert.Single(turned.Actions).CompleteOrchestration.FailureDetails.InnerFailure.ErrorType);
            await stopped;
        }
        finally
        {
            await app.DisposeAsync();
        }
    }

    /// <summary>A body that the server has begun to ask for and gets only when released.</summary>
    private sealed class HeldBody : HttpContent
    {
        private readonly byte[] bytes;
        private readonly TaskCompletionSource wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public HeldBody(byte[] bytes)
        {
            this.bytes = bytes;
            Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        public Task Wanted => wanted.Task;

        public void Release() => released.SetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            wanted.SetResult();
            await released.Task;
            await stream.WriteAsync(bytes);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = bytes.Length;
            return true;
        }
    }
}
