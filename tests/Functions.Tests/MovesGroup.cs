using Baton.Testing;

namespace Baton.Functions.Tests;

/// <summary>Tests of what moves copies and leaderships: a storage service of their own, so that they run beside the others.</summary>
[CollectionDefinition(Name)]
public sealed class MovesGroup : ICollectionFixture<AzuriteFixture>
{
    public const string Name = "moves";
}
