using Baton.Storage.Replicas;

namespace Baton.Storage.Tests.Replicas;

/// <summary>A folder in memory that knows what was forced to the disk. A crash keeps that, and of the rest what the random numbers say: any beginning of what was done to a file, any of the changes to the folder.</summary>
internal sealed class ModelDisk
{
    private readonly Dictionary<string, Inode> _durable = new(StringComparer.Ordinal);
    private Dictionary<string, Inode> _now = new(StringComparer.Ordinal);
    private object? _open;
    private int _calls;

    /// <summary>Which call fails, counted from 1 and from the last time that this was set; 0 for none.</summary>
    public int FailAt
    {
        get;
        set
        {
            field = value;
            _calls = 0;
        }
    }

    /// <summary>The call that was to fail has failed.</summary>
    public bool Failed => FailAt > 0 && _calls >= FailAt;

    /// <summary>Calls are not counted, and do not fail.</summary>
    public bool Quiet { get; set; }

    /// <summary>How many calls have failed.</summary>
    public int Refusals { get; private set; }

    public int Flushes { get; private set; }

    public IReadOnlyList<string> Names => [.. _now.Keys.Order(StringComparer.Ordinal)];

    public byte[] Bytes(string name) => [.. _now[name].Content];

    /// <summary>Changes a file behind the log's back.</summary>
    public void Tamper(string name, Func<byte[], byte[]> change)
    {
        _now[name] = new Inode([.. change(_now.ContainsKey(name) ? Bytes(name) : [])]);
        _durable[name] = _now[name];
    }

    public void Remove(string name)
    {
        _now.Remove(name);
        _durable.Remove(name);
    }

    public IReplicaFiles Open()
    {
        Assert.Null(_open);
        var folder = new Folder(this);
        _open = folder;
        return folder;
    }

    /// <summary>The host goes down and comes up again. Who has the folder open can do nothing with it any more.</summary>
    public void Crash(Random random)
    {
        _open = null;
        var survived = new Dictionary<string, Inode>(StringComparer.Ordinal);
        foreach (var name in _durable.Keys.Union(_now.Keys, StringComparer.Ordinal))
        {
            var from = random.Next(2) == 0 ? _durable : _now;
            if (from.TryGetValue(name, out var inode))
            {
                survived[name] = inode;
            }
        }

        _durable.Clear();
        _now = [];
        foreach (var (name, inode) in survived)
        {
            _now[name] = _durable[name] = inode.AfterCrash(random);
        }
    }

    private void Call(IReplicaFiles caller)
    {
        if (caller != _open)
        {
            throw new IOException("The host has crashed since (by the test).");
        }

        if (!Quiet && ++_calls == FailAt)
        {
            Refusals++;
            throw new IOException("The disk refused (by the test).");
        }
    }

    private sealed class Folder(ModelDisk disk) : IReplicaFiles
    {
        public IReadOnlyList<string> List()
        {
            disk.Call(this);
            return disk.Names;
        }

        public IReplicaFile Create(string name)
        {
            disk.Call(this);
            return new OpenFile(disk, this, disk._now[name] = new Inode([]));
        }

        public IReplicaFile? Open(string name)
        {
            disk.Call(this);
            return disk._now.TryGetValue(name, out var inode) ? new OpenFile(disk, this, inode) : null;
        }

        public void Delete(string name)
        {
            disk.Call(this);
            disk._now.Remove(name);
        }

        public void Replace(string name, string with)
        {
            disk.Call(this);
            Assert.True(disk._now.Remove(with, out var inode));
            disk._now[name] = inode;
        }

        public void FlushFolder()
        {
            disk.Call(this);
            disk._durable.Clear();
            foreach (var (name, inode) in disk._now)
            {
                disk._durable[name] = inode;
            }
        }

        public void Dispose() => disk._open = disk._open == this ? null : disk._open;
    }

    private sealed class OpenFile(ModelDisk disk, Folder folder, Inode inode) : IReplicaFile
    {
        private bool _disposed;

        public long Length => inode.Content.Count;

        public int Read(long offset, Span<byte> target)
        {
            Check();
            lock (inode)
            {
                var length = (int)Math.Clamp(inode.Content.Count - offset, 0, target.Length);
                inode.Content.GetRange((int)Math.Min(offset, inode.Content.Count), length).ToArray().CopyTo(target);
                return length;
            }
        }

        // A write that fails has written half.
        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            try
            {
                Check();
            }
            catch (IOException) when (disk._open == folder)
            {
                inode.Do(new Change(offset, bytes[..(bytes.Length / 2)].ToArray()));
                throw;
            }

            inode.Do(new Change(offset, bytes.ToArray()));
        }

        public void SetLength(long length)
        {
            Check();
            inode.Do(new Change(length, null));
        }

        public void Flush()
        {
            Check();
            disk.Flushes++;
            inode.Flush();
        }

        public void Dispose() => _disposed = true;

        private void Check()
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            disk.Call(folder);
        }
    }

    /// <summary>A write, or a new length where there are no bytes.</summary>
    private sealed record Change(long Offset, byte[]? Bytes);

    private sealed class Inode(List<byte> durable)
    {
        private readonly List<Change> _pending = [];
        private List<byte> _durable = durable;

        public List<byte> Content { get; } = [.. durable];

        public void Do(Change change)
        {
            lock (this)
            {
                Apply(Content, change);
                _pending.Add(change);
            }
        }

        public void Flush()
        {
            lock (this)
            {
                _durable = [.. Content];
                _pending.Clear();
            }
        }

        // The last change that reached the disk may have done so in part, or with a length whose bytes never came.
        public Inode AfterCrash(Random random)
        {
            List<byte> content = [.. _durable];
            var whole = random.Next(_pending.Count + 1);
            foreach (var change in _pending.Take(whole))
            {
                Apply(content, change);
            }

            if (whole < _pending.Count && _pending[whole] is { Bytes: { } bytes } torn)
            {
                var part = bytes[..random.Next(bytes.Length + 1)];
                Apply(content, torn with { Bytes = random.Next(3) == 0 ? new byte[part.Length] : part });
            }

            return new Inode(content);
        }

        private static void Apply(List<byte> content, Change change)
        {
            var length = change.Bytes is { } bytes ? Math.Max(content.Count, change.Offset + bytes.Length) : change.Offset;
            if (length < content.Count)
            {
                content.RemoveRange((int)length, content.Count - (int)length);
            }

            content.AddRange(Enumerable.Repeat((byte)0, (int)length - content.Count));
            for (var i = 0; i < change.Bytes?.Length; i++)
            {
                content[(int)change.Offset + i] = change.Bytes[i];
            }
        }
    }
}
