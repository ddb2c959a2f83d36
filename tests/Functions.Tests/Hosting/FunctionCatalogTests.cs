using Baton.Durable;
using Baton.Functions.Hosting;
using Microsoft.AspNetCore.Http;

namespace Baton.Functions.Tests.Hosting;

public sealed class FunctionCatalogTests
{
    [Fact]
    public void The_apps_own_functions_are_declared_rightly()
    {
        Assert.NotNull(FunctionCatalog.Scan(typeof(FunctionCatalog).Assembly));
    }

    [Theory]
    [InlineData(typeof(NoTrigger), "needs one trigger, has 0.")]
    [InlineData(typeof(TwoTriggers), "needs one trigger, has 2.")]
    [InlineData(typeof(BadName), "the name 'a.b' must be a letter")]
    [InlineData(typeof(SameNames), "are both named")]
    [InlineData(typeof(SameRoutes), "answer the same requests: get things/{}.")]
    [InlineData(typeof(Hidden), "must be public.")]
    [InlineData(typeof(GenericMethod), "must not be generic.")]
    [InlineData(typeof(AbstractClass), "an abstract class cannot be made.")]
    [InlineData(typeof(AsyncVoid), "async void cannot be awaited")]
    [InlineData(typeof(ReturnsValueTask), "return Task instead of ValueTask.")]
    [InlineData(typeof(NoVerb), "names no HTTP verb.")]
    [InlineData(typeof(UnknownVerb), "the verbs 'fetch' must be")]
    [InlineData(typeof(RepeatedVerb), "the verbs 'get, GET' must be different")]
    [InlineData(typeof(LeadingSlash), "the route '/a' must be plain segments")]
    [InlineData(typeof(OptionalParameter), "the route 'a/{id?}' must be plain segments")]
    [InlineData(typeof(ConstrainedParameter), "the route 'a/{id:int}' must be plain segments")]
    [InlineData(typeof(RepeatedParameter), "the route '{a}/{A}' must be plain segments")]
    [InlineData(typeof(HttpWithoutAnswer), "an HTTP function returns IResult")]
    [InlineData(typeof(HttpWithTwoAnswers), "an HTTP function returns IResult")]
    [InlineData(typeof(HttpOfAnotherType), "the parameter 'request' must be of type HttpRequest.")]
    [InlineData(typeof(QueueOfAnotherType), "the parameter 'message' must be of type ReadOnlyMemory.")]
    [InlineData(typeof(QueueWithoutConnection), "names no connection setting.")]
    [InlineData(typeof(TimerOfFiveFields), "the schedule '*/5 * * * *' must have six fields")]
    [InlineData(typeof(QueueWithLostResult), "what it returns goes nowhere")]
    [InlineData(typeof(QueueWithHttpResult), "[HttpResult] is for HTTP functions.")]
    [InlineData(typeof(OutputOfAnotherType), "the output 'Number' must be a string or a list of strings.")]
    [InlineData(typeof(OrchestratorWithToken), "a cancellation token would make")]
    [InlineData(typeof(OrchestratorWithClient), "a durable client is not for")]
    [InlineData(typeof(OrchestratorWithoutTask), "an orchestrator returns Task")]
    [InlineData(typeof(ActivityWithOutput), "orchestrators and activities have no output")]
    [InlineData(typeof(ActivityNamedData), "an activity's input cannot be named 'Data'.")]
    [InlineData(typeof(ActivityNamedTrigger), "an activity's input cannot be named 'myTrigger'.")]
    [InlineData(typeof(BadBindingName), "does not take the binding name '_tick'")]
    [InlineData(typeof(SameBindings), "its bindings must have different names: res, res.")]
    [InlineData(typeof(UnboundParameter), "nothing binds the parameter 'more'.")]
    public void A_wrong_declaration_is_refused_with_its_reason(Type type, string reason)
    {
        var refused = Assert.Throws<InvalidDeclarationException>(() => FunctionCatalog.Scan([type]));

        Assert.Contains(refused.Problems, problem => problem.Contains(reason, StringComparison.Ordinal) && problem.Contains(type.Name, StringComparison.Ordinal));
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_problem_is_named_at_once()
    {
        Assert.Equal(2, Assert.Throws<InvalidDeclarationException>(() => FunctionCatalog.Scan([typeof(NoTrigger), typeof(Hidden)])).Problems.Count);
    }

    [Fact]
    public void Functions_are_listed_by_name_whatever_the_order_of_the_classes()
    {
        var forwards = FunctionCatalog.Scan([typeof(HttpFunctions), typeof(Workflow)]).Functions.Select(function => function.Name).ToList();
        var backwards = FunctionCatalog.Scan([typeof(Workflow), typeof(HttpFunctions)]).Functions.Select(function => function.Name).ToList();

        Assert.Equal(backwards, forwards);
        Assert.Equal(backwards.Order(StringComparer.Ordinal).ToList(), backwards);
    }

    [Fact]
    public void One_path_may_have_a_function_for_each_verb()
    {
        Assert.Equal(2, FunctionCatalog.Scan([typeof(DifferentVerbs)]).Functions.Count);
    }

    private sealed class NoTrigger
    {
        [Function("F")]
        public static void F(CancellationToken cancellationToken) => cancellationToken.ThrowIfCancellationRequested();
    }

    private sealed class TwoTriggers
    {
        [Function("F")]
        public static void F([TimerTrigger("%S%")] TimerInfo a, [TimerTrigger("%S%")] TimerInfo b) => Assert.Equal(a, b);
    }

    private sealed class BadName
    {
        [Function("a.b")]
        public static void F([TimerTrigger("%S%")] TimerInfo tick) => Assert.NotNull(tick);
    }

    private sealed class SameNames
    {
        [Function("Same")]
        public static void F([TimerTrigger("%S%")] TimerInfo tick) => Assert.NotNull(tick);

        [Function("same")]
        public static void G([TimerTrigger("%S%")] TimerInfo tick) => Assert.NotNull(tick);
    }

    private sealed class SameRoutes
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "get", "put", Route = "things/{id}")] HttpRequest request) => Results.Text(request.Path);

        [Function("G")]
        public static IResult G([HttpTrigger(AuthorizationLevel.Function, "get", Route = "things/{name}")] HttpRequest request) => Results.Text(request.Path);
    }

    private sealed class DifferentVerbs
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "put", Route = "things/{id}")] HttpRequest request) => Results.Text(request.Path);

        [Function("G")]
        public static IResult G([HttpTrigger(AuthorizationLevel.Function, "get", Route = "things/{id}")] HttpRequest request) => Results.Text(request.Path);
    }

    private sealed class Hidden
    {
        [Function("F")]
        internal static void F([TimerTrigger("%S%")] TimerInfo tick) => Assert.NotNull(tick);
    }

    private sealed class GenericMethod
    {
        [Function("F")]
        public static void F<T>([ActivityTrigger] T input) => Assert.NotNull(input);
    }

    private abstract class AbstractClass
    {
        [Function("F")]
        public void F([TimerTrigger("%S%")] TimerInfo tick) => Assert.NotEqual((object)this, tick);
    }

    private sealed class AsyncVoid
    {
        [Function("F")]
#pragma warning disable MA0155 // the very thing that is refused
        public static async void F([TimerTrigger("%S%")] TimerInfo tick) => await Task.FromResult(tick);
#pragma warning restore MA0155
    }

    private sealed class ReturnsValueTask
    {
        [Function("F")]
        public static ValueTask F([TimerTrigger("%S%")] TimerInfo tick) => tick.IsPastDue ? default : ValueTask.CompletedTask;
    }

    private sealed class NoVerb
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, Route = "a")] HttpRequest request) => Results.Text(request.Path);
    }

    private sealed class UnknownVerb
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "fetch", Route = "a")] HttpRequest request) => Results.Text(request.Path);
    }

    private sealed class RepeatedVerb
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "get", "GET", Route = "a")] HttpRequest request) => Results.Text(request.Path);
    }

    private sealed class LeadingSlash
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "get", Route = "/a")] HttpRequest request) => Results.Text(request.Path);
    }

    private sealed class OptionalParameter
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "get", Route = "a/{id?}")] HttpRequest request) => Results.Text(request.Path);
    }

    private sealed class ConstrainedParameter
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "get", Route = "a/{id:int}")] HttpRequest request) => Results.Text(request.Path);
    }

    private sealed class RepeatedParameter
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "get", Route = "{a}/{A}")] HttpRequest request) => Results.Text(request.Path);
    }

    private sealed class HttpWithoutAnswer
    {
        [Function("F")]
        public static string F([HttpTrigger(AuthorizationLevel.Function, "get", Route = "a")] HttpRequest request) => request.Path;
    }

    private sealed record TwoAnswers([property: HttpResult] IResult A, [property: HttpResult] IResult B);

    private sealed class HttpWithTwoAnswers
    {
        [Function("F")]
        public static TwoAnswers F([HttpTrigger(AuthorizationLevel.Function, "get", Route = "a")] HttpRequest request) =>
            new(Results.Text(request.Path), Results.Ok());
    }

    private sealed class HttpOfAnotherType
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "get", Route = "a")] HttpContext request) => Results.Text(request.Request.Path);
    }

    private sealed class QueueOfAnotherType
    {
        [Function("F")]
        public static void F([ServiceBusTrigger("q", Connection = "Bus")] string message) => Assert.NotNull(message);
    }

    private sealed class QueueWithoutConnection
    {
        [Function("F")]
        public static void F([ServiceBusTrigger("q", Connection = " ")] ReadOnlyMemory<byte> message) => Assert.False(message.IsEmpty);
    }

    private sealed class TimerOfFiveFields
    {
        [Function("F")]
        public static void F([TimerTrigger("*/5 * * * *")] TimerInfo tick) => Assert.NotNull(tick);
    }

    private sealed class QueueWithLostResult
    {
        [Function("F")]
        public static Task<int> F([ServiceBusTrigger("q", Connection = "Bus")] ReadOnlyMemory<byte> message) => Task.FromResult(message.Length);
    }

    private sealed class QueueWithHttpResult
    {
        [Function("F")]
        public static Reported F([ServiceBusTrigger("q", Connection = "Bus")] ReadOnlyMemory<byte> message) => new(Results.Ok(), $"{message.Length}");
    }

    private sealed record NumberOutput([property: ServiceBusOutput("q", Connection = "Bus")] int Number);

    private sealed class OutputOfAnotherType
    {
        [Function("F")]
        public static NumberOutput F([TimerTrigger("%S%")] TimerInfo tick) => new(tick.IsPastDue ? 1 : 2);
    }

    private sealed class OrchestratorWithToken
    {
        [Function("F")]
        public static Task F([OrchestrationTrigger] TaskOrchestrationContext context, CancellationToken cancellationToken) => context.CreateTimer(TimeSpan.Zero, cancellationToken);
    }

    private sealed class OrchestratorWithClient
    {
        [Function("F")]
        public static Task<OrchestrationMetadata?> F([OrchestrationTrigger] TaskOrchestrationContext context, [DurableClient] DurableTaskClient client) =>
            client.GetInstanceAsync(context.InstanceId);
    }

    private sealed class OrchestratorWithoutTask
    {
        [Function("F")]
        public static string F([OrchestrationTrigger] TaskOrchestrationContext context) => context.InstanceId;
    }

    private sealed class ActivityWithOutput
    {
        [Function("F")]
        public static Sent F([ActivityTrigger] string input) => new(input, null);
    }

    private sealed class ActivityNamedData
    {
        [Function("F")]
        public static string F([ActivityTrigger] string Data) => Data;
    }

    private sealed class ActivityNamedTrigger
    {
        [Function("F")]
        public static string F([ActivityTrigger] string myTrigger) => myTrigger;
    }

    private sealed class BadBindingName
    {
        [Function("F")]
        public static void F([TimerTrigger("%S%")] TimerInfo _tick) => Assert.NotNull(_tick);
    }

    private sealed class SameBindings
    {
        [Function("F")]
        public static IResult F([HttpTrigger(AuthorizationLevel.Function, "get", Route = "a")] HttpRequest res) => Results.Text(res.Path);
    }

    private sealed class UnboundParameter
    {
        [Function("F")]
        public static void F([TimerTrigger("%S%")] TimerInfo tick, string more) => Assert.NotEqual(more, (object)tick);
    }
}
