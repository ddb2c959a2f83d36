using Baton.Storage;

namespace Baton.Functions;

/// <summary>What the functions are made of.</summary>
internal static class Composition
{
    /// <summary>Registers the capabilities of the control plane with their settings.</summary>
    /// <exception cref="InvalidOperationException">A setting is missing or wrong; the message names it.</exception>
    public static IServiceCollection AddCapabilities(this IServiceCollection services, IConfiguration configuration)
    {
        var storage = BatonStorage.Open(configuration.GetSection(StorageOptions.Section).Get<StorageOptions>() ?? new StorageOptions());
        services.AddSingleton(storage);
        services.AddSingleton(storage.Tables);
        return services;
    }
}
