using System.Globalization;

namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>Makes a program from a seed: the same one for ever.</summary>
public sealed class ProgramGenerator
{
    private const int MaxDepth = 3;

    private readonly Random _random;

#pragma warning disable CA5394 // Programs must be made again from their seed; nothing is kept secret by them.
    private ProgramGenerator(int seed) => _random = new Random(seed);

    /// <summary>A program.</summary>
    /// <param name="seed">Any number.</param>
    /// <param name="size">About so many steps.</param>
    public static Plan Generate(int seed, int size) => new ProgramGenerator(seed).MakePlan(size, depth: 0, repeats: false, failure: null);

    private Plan MakePlan(int size, int depth, bool repeats, string? failure)
    {
        var generations = size >= 3 && Chance(30) ? 2 + _random.Next(2) : 1;
        var body = new PlanBody(this, depth, repeats).Make(Math.Max(1, size / generations));
        var carries = generations == 1 ? Carrying.Never : (Carrying)_random.Next(3);
        return new Plan(body, generations, carries, Failure: failure ?? (depth == 0 && Chance(10) ? "the program fails, as it should" : null));
    }

    private bool Chance(int percent) => _random.Next(100) < percent;

    private T OneOf<T>(params ReadOnlySpan<T> choices) => choices[_random.Next(choices.Length)];

    /// <summary>The steps of one plan, with keys of their own.</summary>
    private sealed class PlanBody(ProgramGenerator made, int depth, bool repeats)
    {
        // JSON goes 32 levels deep here. A level of steps takes up to three, a child two more, and there are children of children.
        private const int MaxNesting = 2;

        private int _keys;

        public InOrder Make(int size) => new InOrder(Key(), Steps(size, nesting: 1));

        private List<Step> Steps(int size, int nesting)
        {
            var steps = new List<Step>();
            for (var left = size; left > 0;)
            {
                var part = 1 + made._random.Next(left);
                steps.Add(part == 1 ? Leaf() : Composite(part, nesting));
                left -= part;
            }

            return steps;
        }

        private Step Composite(int size, int nesting)
        {
            var kind = made._random.Next(10);
            if (depth < MaxDepth && kind < 4)
            {
                return MakeChild(size - 1);
            }

            return nesting >= MaxNesting ? Leaf() : kind switch
            {
                < 8 => new AtOnce(Key(), Steps(size, nesting + 1)),
                8 => new TellSelf(Key(), Bytes(), made.Chance(50), new InOrder(Key(), Steps(size - 1, nesting + 1))),
                _ => new InOrder(Key(), Steps(size, nesting + 1)),
            };
        }

        // What a child does that is tried again must not depend on which attempt it is: its tasks have their effect in the first.
        private Child MakeChild(int size)
        {
            var key = Key();
            var failsFirst = !repeats && made.Chance(25) ? 1 + made._random.Next(2) : 0;
            var failure = failsFirst == 0 && made.Chance(20) ? $"child {key} fails, as it should" : null;
            var plan = made.MakePlan(size, depth + 1, repeats || failsFirst > 0, failure) with { FailsFirst = failsFirst };
            return new Child(key, plan, made.Chance(50), made.OneOf(Telling.Never, Telling.Never, Telling.First, Telling.Last), failsFirst + 1);
        }

        private Step Leaf() => made._random.Next(repeats ? 10 : 14) switch
        {
            < 3 => new Call(Key(), Value(), made.OneOf(0, 0, 1, 2), Bytes(), made.OneOf(0, 0, 10, 40)),
            3 => new Refused(Key(), made.OneOf(1, 2)),
            4 => new Detached(Key(), Value()),
            5 => new Pause(Key(), made._random.Next(1, 40)),
            6 => new TimerWins(Key(), made._random.Next(1, 20), made.Chance(50)),
            7 => new ActivityWins(Key(), Value(), made.OneOf(5, 200)),
            8 => new TellSelf(Key(), Bytes(), made.Chance(50), new Pause(Key(), made._random.Next(1, 10))),
            9 => new Status(Key()),
            10 => new LateActivity(Key(), made._random.Next(1, 10)),
            11 => new AskOutside(Key()),
            12 => new Ids(Key()),
            _ => new Clock(Key()),
        };

        private string Key() => (++_keys).ToString(CultureInfo.InvariantCulture);

        private string Value() => string.Create(CultureInfo.InvariantCulture, $"v{made._random.Next(1000)}");

        // Mostly none; now and then more than an instance's row takes.
        private int Bytes() => made.OneOf(0, 0, 0, 0, 100, 20_000, 40_000);
    }
#pragma warning restore CA5394
}
