namespace Baton.Core.Metadata;

/// <summary>The channel whose log is the catalogue: one command a record.</summary>
public static class MetadataChannel
{
    /// <summary>Its name. No client can take it: an id does not begin with an underscore.</summary>
    public const string Name = "__metadata";
}
