using System.Security.Cryptography;
using System.Text.Json;
using Baton.Core.Api;
using Baton.DevHost.Azurite;

namespace Baton.DevHost.Clusters;

/// <summary>The secrets of one local cluster, random, made at its first start.</summary>
/// <param name="Account">Its storage account.</param>
/// <param name="FunctionKey">Key of level function.</param>
/// <param name="AdminKey">Key of level admin.</param>
/// <param name="SystemKey">Key of the orchestrations' management API.</param>
/// <param name="ControlSecret">What nodes ask of the control plane and of each other.</param>
/// <param name="ClientSecret">What nodes ask of clients.</param>
/// <param name="ReplicationSecret">What this cluster asks of one that replicates to it: the token of its entry in a replicate configuration.</param>
public sealed record ClusterSecrets(
    AzuriteAccount Account, string FunctionKey, string AdminKey, string SystemKey, string ControlSecret, string ClientSecret, string ReplicationSecret)
{
    private const int SecretBytes = 32;

    /// <summary>New secrets for a cluster.</summary>
    public static ClusterSecrets Create(string clusterId) =>
        new(AzuriteAccount.Create("baton" + string.Concat(clusterId.Where(char.IsAsciiLetterOrDigit).Take(16))), Random(), Random(), Random(), Random(), Random(), Random());

    /// <summary>These secrets, and new ones for those that a file of an earlier version does not have.</summary>
    internal ClusterSecrets Completed() => string.IsNullOrEmpty(ReplicationSecret) ? this with { ReplicationSecret = Random() } : this;

    private static string Random() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SecretBytes));
}

/// <summary>What DevHost keeps on disk: Azurite's data, each cluster's secrets, the nodes' replicas, and the logs of its processes.</summary>
public sealed class DataFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly string _root;

    /// <summary>The folder at <paramref name="root"/>, made if need be.</summary>
    public DataFolder(string root) => _root = Directory.CreateDirectory(root).FullName;

    /// <summary>Its path.</summary>
    public string Root => _root;

    /// <summary>Azurite's data.</summary>
    public string Azurite => Path.Combine(_root, "azurite");

    /// <summary>Where the processes' output goes, one file each.</summary>
    public string Logs => Directory.CreateDirectory(Path.Combine(_root, "logs")).FullName;

    /// <summary>The nodes' own copies of channels that they follow, one folder a node.</summary>
    public string Replicas => Path.Combine(_root, "replicas");

    /// <summary>Keeps the folder to this process until disposed: two storage services on one folder would spoil each other's files.</summary>
    /// <exception cref="DataFolderInUseException">Another process has it.</exception>
    public IDisposable Hold()
    {
        try
        {
            return new FileStream(Path.Combine(_root, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new DataFolderInUseException($"The data folder {_root} is in use by another DevHost. Stop that one, or choose another folder with --data.", e);
        }
    }

    /// <summary>The file that holds a cluster's secrets, readable by its owner alone.</summary>
    public string SecretsFile(string clusterId) => Path.Combine(_root, $"secrets-{clusterId}.json");

    /// <summary>The cluster's secrets: those of its first start, or new ones.</summary>
    public ClusterSecrets Secrets(string clusterId)
    {
        var file = SecretsFile(clusterId);
        if (File.Exists(file))
        {
            var kept = JsonSerializer.Deserialize<ClusterSecrets>(File.ReadAllText(file), BatonJson.Options)
                ?? throw new InvalidDataException($"{file} holds no secrets. Put the old ones back, or delete it to have new ones made.");
            var completed = kept.Completed();
            return completed == kept ? kept : Keep(file, completed);
        }

        return Keep(file, ClusterSecrets.Create(clusterId));
    }

    private static ClusterSecrets Keep(string file, ClusterSecrets secrets)
    {
        // Written aside and renamed, so that a start that dies here leaves no half file; never readable by others, not for a moment.
        var draft = file + ".new";
        File.Delete(draft);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        using (var stream = new FileStream(draft, options))
        {
            JsonSerializer.Serialize(stream, secrets, BatonJson.Options);
        }

        File.Move(draft, file, overwrite: true);
        return secrets;
    }
}

/// <summary>Another process works in the data folder; the message names it and the option that chooses another.</summary>
public sealed class DataFolderInUseException(string message, Exception inner) : Exception(message, inner);
