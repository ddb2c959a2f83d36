using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Baton.DevHost.Orchestrations;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>The management API of an engine, and a client of it.</summary>
internal sealed class ManagementApiHost(WebApplication host, OrchestrationEngine engine) : IAsyncDisposable
{
    public const string Key = "k/e+y=";

    public HttpClient Http { get; } = new();

    public OrchestrationEngine Engine => engine;

    public string Base => host.Urls.First() + ManagementApi.BasePath;

    public static async Task<ManagementApiHost> StartAsync(OrchestrationEngine engine)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var host = builder.Build();
        host.MapDurableManagement(engine, Key);
        await host.StartAsync();
        return new ManagementApiHost(host, engine);
    }

    public static async Task<JsonObject> BodyAsync(HttpResponseMessage response) => (await response.Content.ReadFromJsonAsync<JsonObject>())!;

    public string At(string path, string query = "") => $"{Base}/{path}?code={Uri.EscapeDataString(Key)}&{query}";

    public Task<HttpResponseMessage> GetAsync(string path, string query = "") => Http.GetAsync(At(path, query));

    public Task<HttpResponseMessage> DeleteAsync(string path, string query = "") => Http.DeleteAsync(At(path, query));

    public async Task<HttpResponseMessage> PostAsync(string path, string? body = null, string query = "", string type = "application/json")
    {
        using var content = body is null ? null : new StringContent(body, Encoding.UTF8, type);
        return await Http.PostAsync(At(path, query), content);
    }

    public async Task<JsonObject> UntilAsync(string id, string runtimeStatus)
    {
        using var patience = new CancellationTokenSource(EngineHub.Patience);
        while (true)
        {
            using var response = await Http.GetAsync(At($"instances/{id}"), patience.Token);
            var body = await BodyAsync(response);
            if ((string?)body["runtimeStatus"] == runtimeStatus)
            {
                return body;
            }

            await Task.Delay(5, patience.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await host.DisposeAsync();
    }
}
