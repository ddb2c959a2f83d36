using System.Text.Json;
using Baton.Functions.Hosting;

namespace Baton.Functions.Tests.Hosting;

public sealed class FunctionJsonTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("baton-functions-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("Echo", """
        {
          "bindings": [
            {
              "name": "request",
              "type": "httpTrigger",
              "direction": "in",
              "authLevel": "anonymous",
              "methods": [
                "get",
                "put",
                "post",
                "delete"
              ],
              "route": "echo/{id}/parts/{part}"
            },
            {
              "name": "res",
              "type": "http",
              "direction": "out"
            }
          ]
        }

        """)]
    [InlineData("Starts", """
        {
          "bindings": [
            {
              "name": "request",
              "type": "httpTrigger",
              "direction": "in",
              "authLevel": "function",
              "methods": [
                "post"
              ],
              "route": "starts"
            },
            {
              "name": "client",
              "type": "durableClient",
              "direction": "in"
            },
            {
              "name": "res",
              "type": "http",
              "direction": "out"
            }
          ]
        }

        """)]
    [InlineData("Reports", """
        {
          "bindings": [
            {
              "name": "request",
              "type": "httpTrigger",
              "direction": "in",
              "authLevel": "function",
              "methods": [
                "post"
              ],
              "route": "reports"
            },
            {
              "name": "res",
              "type": "http",
              "direction": "out"
            },
            {
              "name": "message",
              "type": "serviceBus",
              "direction": "out",
              "queueName": "reports",
              "connection": "Bus"
            }
          ]
        }

        """)]
    [InlineData("OnOrder", """
        {
          "bindings": [
            {
              "name": "message",
              "type": "serviceBusTrigger",
              "direction": "in",
              "queueName": "orders",
              "connection": "Bus",
              "dataType": "binary"
            },
            {
              "name": "first",
              "type": "serviceBus",
              "direction": "out",
              "queueName": "first",
              "connection": "Bus"
            },
            {
              "name": "second",
              "type": "serviceBus",
              "direction": "out",
              "queueName": "second",
              "connection": "Bus"
            }
          ]
        }

        """)]
    [InlineData("OnTick", """
        {
          "bindings": [
            {
              "name": "tick",
              "type": "timerTrigger",
              "direction": "in",
              "schedule": "%TickSchedule%"
            }
          ]
        }

        """)]
    [InlineData("Ordering", """
        {
          "bindings": [
            {
              "name": "context",
              "type": "orchestrationTrigger",
              "direction": "in"
            }
          ]
        }

        """)]
    [InlineData("Stamp", """
        {
          "bindings": [
            {
              "name": "order",
              "type": "activityTrigger",
              "direction": "in"
            }
          ]
        }

        """)]
    public void A_declaration_becomes_this_function_json(string function, string text)
    {
        FunctionJson.Write(SampleApp.Catalog, folder);

        Assert.Equal(text, File.ReadAllText(Path.Combine(folder, function, "function.json")));
    }

    [Fact]
    public void Every_function_has_a_folder_and_nothing_else_is_written()
    {
        FunctionJson.Write(SampleApp.Catalog, folder);

        Assert.Equal(
            SampleApp.Catalog.Functions.Select(function => Path.Combine(folder, function.Name, "function.json")).ToList(),
            Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList());
    }

    [Fact]
    public void What_is_gone_is_removed_and_what_is_not_ours_stays()
    {
        Write("Gone/function.json", "{}");
        Write("Mixed/function.json", "{}");
        Write("Mixed/data.txt", "kept");
        Write("runtimes/native.so", "kept");

        FunctionJson.Write(SampleApp.Catalog, folder);

        Assert.False(Directory.Exists(Path.Combine(folder, "Gone")));
        Assert.False(File.Exists(Path.Combine(folder, "Mixed/function.json")));
        Assert.True(File.Exists(Path.Combine(folder, "Mixed/data.txt")));
        Assert.True(File.Exists(Path.Combine(folder, "runtimes/native.so")));
    }

    [Fact]
    public void A_file_that_says_the_same_is_not_touched_and_one_that_differs_is_mended()
    {
        FunctionJson.Write(SampleApp.Catalog, folder);
        var same = Path.Combine(folder, "Echo", "function.json");
        var other = Path.Combine(folder, "Stamp", "function.json");
        var longAgo = new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(same, longAgo);
        File.WriteAllText(other, "{}");

        FunctionJson.Write(SampleApp.Catalog, folder);

        Assert.Equal(longAgo, File.GetLastWriteTimeUtc(same));
        Assert.Contains("activityTrigger", File.ReadAllText(other), StringComparison.Ordinal);
    }

    [Fact]
    public void Host_json_agrees_with_the_app()
    {
        using var host = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "host.json")));

        Assert.Equal(FunctionCatalog.RoutePrefix, host.RootElement.GetProperty("extensions").GetProperty("http").GetProperty("routePrefix").GetString());
        var handler = host.RootElement.GetProperty("customHandler");
        Assert.True(handler.GetProperty("enableForwardingHttpRequest").GetBoolean());
        Assert.Equal("Baton.Functions", handler.GetProperty("description").GetProperty("defaultExecutablePath").GetString());
        Assert.False(host.RootElement.GetProperty("extensions").GetProperty("durableTask").GetProperty("extendedSessionsEnabled").GetBoolean());
    }

    private void Write(string path, string text)
    {
        var file = Path.Combine(folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
