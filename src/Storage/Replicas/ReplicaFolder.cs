using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Baton.Storage.Replicas;

/// <summary>A channel's folder on this node's disk.</summary>
internal sealed class ReplicaFolder : IReplicaFiles
{
    private const string LockName = "lock";
    private readonly string _path;
    private readonly SafeFileHandle _lock;

    private ReplicaFolder(string path, SafeFileHandle held) => (_path, _lock) = (path, held);

    /// <summary>Opens a channel's folder, which is created when it is missing.</summary>
    /// <exception cref="ReplicaFaultedException">The disk refused, or another process, or another log of this one, has it.</exception>
    public static ReplicaFolder Open(string folder, string channel)
    {
        var path = Path.GetFullPath(Path.Combine(folder, channel));
        try
        {
            CreateDurably(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ReplicaFaultedException(channel, $"folder '{path}' cannot be used: set '{ReplicaLogOptions.Section}:{nameof(ReplicaLogOptions.Folder)}', now '{folder}', to one that this node may write", failure);
        }

        try
        {
            return new ReplicaFolder(path, File.OpenHandle(Path.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ReplicaFaultedException(channel, $"folder '{path}' is in use, by this process or another: '{ReplicaLogOptions.Section}:{nameof(ReplicaLogOptions.Folder)}', now '{folder}', must be a folder of this node alone", failure);
        }
    }

    public IReadOnlyList<string> List() => [.. Directory.EnumerateFiles(_path).Select(path => Path.GetFileName(path)).Where(name => name != LockName)];

    public IReplicaFile Create(string name) => new OpenFile(Handle(name, FileMode.Create));

    public IReplicaFile? Open(string name)
    {
        try
        {
            return new OpenFile(Handle(name, FileMode.Open));
        }
        catch (FileNotFoundException)
        {
            // That it is missing is an answer here: it may have been trimmed.
            return null;
        }
    }

    public void Delete(string name) => File.Delete(Path.Combine(_path, name));

    public void Replace(string name, string with) => File.Move(Path.Combine(_path, with), Path.Combine(_path, name), overwrite: true);

    public void FlushFolder() => FlushFolder(_path);

    /// <summary>Lets another have the folder.</summary>
    public void Dispose() => _lock.Dispose();

    private static void CreateDurably(string path)
    {
        if (!Directory.Exists(path))
        {
            var parent = Path.GetDirectoryName(path)!;
            CreateDurably(parent);
            Directory.CreateDirectory(path);
            FlushFolder(parent);
        }
    }

    // On Windows a folder cannot be flushed, and its journal keeps such changes in order.
    private static void FlushFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        // .NET opens no folders, so the C library must: a file that was created is there after a crash of the host only when its folder was flushed too.
        using var folder = new SafeFileHandle(Native.Open(path, Native.ReadOnly), ownsHandle: true);
        if (folder.IsInvalid || Native.Flush((int)folder.DangerousGetHandle()) != 0)
        {
            throw new IOException($"Folder '{path}' cannot be flushed: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    private SafeFileHandle Handle(string name, FileMode mode) => File.OpenHandle(Path.Combine(_path, name), mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);

    private sealed class OpenFile(SafeFileHandle handle) : IReplicaFile
    {
        public long Length => RandomAccess.GetLength(handle);

        public int Read(long offset, Span<byte> target)
        {
            var filled = 0;
            while (filled < target.Length)
            {
                var read = RandomAccess.Read(handle, target[filled..], offset + filled);
                if (read == 0)
                {
                    break;
                }

                filled += read;
            }

            return filled;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes) => RandomAccess.Write(handle, bytes, offset);

        public void SetLength(long length) => RandomAccess.SetLength(handle, length);

        public void Flush() => RandomAccess.FlushToDisk(handle);

        public void Dispose() => handle.Dispose();
    }

    private static class Native
    {
        public const int ReadOnly = 0;

        [DllImport("libc", EntryPoint = "open", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

        [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int Flush(int file);
    }
}
