using Baton.Edge.Metrics;
using Baton.Node.Status;

namespace Baton.Node.Tests.Status;

/// <summary>The format, and that the reader which checks it takes nothing else.</summary>
public sealed class MetricTextTests
{
    [Fact]
    public void Help_and_labels_are_escaped()
    {
        var text = new MetricText().Family("a", "gauge", "one\\two\nthree").Sample(1, ("x", "q\"b\\n\n")).ToString();

        Assert.Equal("# HELP a one\\\\two\\nthree\n# TYPE a gauge\na{x=\"q\\\"b\\\\n\\n\"} 1\n", text);
        Assert.Equal("q\\\"b\\\\n\\n", Assert.Single(Assert.Single(PrometheusText.Parse(text)).Samples).Labels["x"]);
    }

    [Fact]
    public void A_histogram_is_cumulative_and_puts_an_end_into_its_bucket()
    {
        var histogram = new DurationHistogram(0.5, 1);
        foreach (var milliseconds in new[] { 500, 501, 1_000, 60_000 })
        {
            histogram.Record(TimeSpan.FromMilliseconds(milliseconds));
        }

        var text = new MetricText().Family("h", "histogram", "x");
        histogram.PrintTo(text, ("a", "b"));

        var samples = Assert.Single(PrometheusText.Parse(text.ToString())).Samples;
        Assert.Equal([1, 3, 4, 62.001, 4], samples.Select(s => s.Value));
        Assert.Equal(["0.5", "1", "+Inf", null, null], samples.Select(s => s.Labels.GetValueOrDefault("le")));
    }

    [Fact]
    public async Task Nothing_that_many_threads_count_is_lost()
    {
        var (histogram, metrics) = (new DurationHistogram(1), new NodeMetrics());
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 10_000; i++)
            {
                histogram.Record(TimeSpan.FromMilliseconds(1));
                metrics.ControlPlaneCalled("join", answered: i % 2 == 0);
            }
        })));

        var text = new MetricText().Family("h", "histogram", "x");
        histogram.PrintTo(text);
        Assert.Equal([40_000, 40_000, 40, 40_000], Assert.Single(PrometheusText.Parse(text.ToString())).Samples.Select(s => s.Value));
    }

    [Fact]
    public void Counting_an_append_allocates_nothing()
    {
        var metrics = new NodeMetrics();
        metrics.Appended("ch", 1, TimeSpan.FromMilliseconds(1));

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
        {
            metrics.Appended("ch", 1, TimeSpan.FromMilliseconds(i));
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory]
    [InlineData("")]
    [InlineData("# HELP a x\n# TYPE a gauge\na 1")]
    [InlineData("a 1\n")]
    [InlineData("# TYPE a gauge\na 1\n")]
    [InlineData("# HELP a x\na 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\n# HELP a x\n# TYPE a gauge\na 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\nb 1\n")]
    [InlineData("# HELP a x\n# TYPE a counter\na 1\n")]
    [InlineData("# HELP a_total x\n# TYPE a_total gauge\na_total 1\n")]
    [InlineData("# HELP a_total x\n# TYPE a_total counter\na_total -1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na{x=\"1\"} 1\na{x=\"1\"} 2\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na{x=\"a\"b\"} 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na{x=\"a\\b\"} 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na{x=1} 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na{} 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na one\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\n\na 1\n")]
    [InlineData("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n")]
    [InlineData("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n")]
    [InlineData("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n")]
    [InlineData("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n")]
    [InlineData("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n")]
    public void The_reader_takes_nothing_else(string text) => Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => PrometheusText.Parse(text));
}
