// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Files;
using VhostPci.Linux.Memory;
using VhostPci.Linux.Sockets;
using VhostPci.Testing;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Surroundings of socket pairs, memfds, eventfds and mappings.</summary>
internal sealed class KernelPorts : IPorts, IListener
{
    private readonly Files _files;
    private readonly Queue<Channel> _waiting = new();
    private readonly HashSet<(int Memory, int Page)> _written = [];
    private readonly int _descriptors;
    private readonly int _mappings;

    internal KernelPorts(Files files)
    {
        _files = files;
        _descriptors = Descriptors.Count();
        _mappings = Mappings();
    }

    public IListener Listener => this;

    public IWindowFactory Windows { get; } = new WindowFactory();

    // Of no file: the fake host never polls.
    public int Descriptor => 1_000_000;

    public int HeldByServer => -1;

    public IPeer Connect(int memory)
    {
        (Channel test, Channel product) = SocketPair.Create();
        _waiting.Enqueue(product);
        return new Peer(_files, memory, test);
    }

    public void Write(int memory, Contents contents)
    {
        foreach (int page in contents.Pages)
        {
            _files.WritePage(memory, page, contents.Bytes(page));
        }
    }

    public void AssertHolds(int memory, Contents contents)
    {
        Span<byte> found = stackalloc byte[Contents.PageSize];
        foreach (int page in contents.Pages)
        {
            _files.ReadPage(memory, page, found);
            contents.AssertPage(page, found);
            _written.Add((memory, page));
        }
    }

    public bool TimeIsOurs => false;

    public (IPeer Server, IChannel Client) ConnectClient(Action<int> waiting)
    {
        (Channel client, Channel peer) = SocketPair.Create();
        return (new Peer(_files, 0, peer), client);
    }

    public int Own(FileKind kind) => _files[kind, 0];

    public bool IsOpenEvent(int descriptor) => new FileInfo($"/proc/self/fd/{descriptor}").LinkTarget == "anon_inode:[eventfd]";

    public void AssertNothingLeft()
    {
        Assert.Equal(_descriptors, Descriptors.Count());
        Assert.Equal(_mappings, Mappings());
    }

    public bool TrySetMode(string path, UnixFileMode mode, out string error) => throw new NotSupportedException();

    public bool TryAccept(out IChannel? channel, out bool outOfDescriptors)
    {
        outOfDescriptors = false;
        bool taken = _waiting.TryDequeue(out Channel? next);
        channel = next;
        return taken;
    }

    public void Dispose()
    {
        // The files are the test's, and the next run's.
        foreach ((int memory, int page) in _written)
        {
            _files.WritePage(memory, page, new Contents().Bytes(page));
        }
    }

    /// <summary>Mappings of peers' memory, and reservations as large as windows only are.</summary>
    private static int Mappings()
    {
        int count = 0;
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            int dash = line.IndexOf('-', StringComparison.Ordinal);
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            ulong start = Convert.ToUInt64(line[..dash], 16);
            ulong end = Convert.ToUInt64(line[(dash + 1)..space], 16);
            // The runtime reserves its heap without access.
            if (line.Contains("vhost-pci-test", StringComparison.Ordinal) || (end - start >= 1UL << 31 && line[space + 1] == 'r'))
            {
                count++;
            }
        }

        return count;
    }

    /// <summary>One open file of each kind; sending makes the copies.</summary>
    internal sealed class Files : IDisposable
    {
        private readonly Descriptor _event = EventDescriptor.Create();
        private readonly Descriptor[] _memory = [.. Enumerable.Range(0, Step.Peers).Select(static _ => NewMemory(sealShrink: true))];
        private readonly Descriptor _unsealed = NewMemory(sealShrink: false);
        private readonly Descriptor _readOnly;
        private readonly (Channel Left, Channel Right) _other = SocketPair.Create();
        private readonly FileStream[] _streams;
        private readonly FileStream _reopened;

        internal Files()
        {
            _streams = [.. _memory.Select(static memory => new FileStream($"/proc/self/fd/{memory.Number}", FileMode.Open, FileAccess.ReadWrite))];
            _reopened = new FileStream($"/proc/self/fd/{_memory[0].Number}", FileMode.Open, FileAccess.Read);
            _readOnly = VhostPci.Linux.Files.Descriptor.Duplicate((int)_reopened.SafeFileHandle.DangerousGetHandle())!;
        }

        internal int this[FileKind kind, int memory] => kind switch
        {
            FileKind.Event => _event.Number,
            FileKind.Memory => _memory[memory].Number,
            FileKind.Unsealed => _unsealed.Number,
            FileKind.ReadOnly => _readOnly.Number,
            _ => _other.Left.Descriptor,
        };

        public void Dispose()
        {
            _event.Dispose();
            Array.ForEach(_memory, static memory => memory.Dispose());
            Array.ForEach(_streams, static stream => stream.Dispose());
            _unsealed.Dispose();
            _readOnly.Dispose();
            _reopened.Dispose();
            _other.Left.Dispose();
            _other.Right.Dispose();
        }

        internal void ReadPage(int memory, int page, Span<byte> bytes)
            => Assert.Equal(bytes.Length, RandomAccess.Read(_streams[memory].SafeFileHandle, bytes, (long)page * Contents.PageSize));

        internal void WritePage(int memory, int page, ReadOnlySpan<byte> bytes)
            => RandomAccess.Write(_streams[memory].SafeFileHandle, bytes, (long)page * Contents.PageSize);

        private static Descriptor NewMemory(bool sealShrink)
        {
            Descriptor memory = VhostPci.Linux.Files.MemoryFile.Create("vhost-pci-test", IPorts.MemorySize, sealShrink);
            using var stream = new FileStream($"/proc/self/fd/{memory.Number}", FileMode.Open, FileAccess.Write);
            stream.Write(Contents.Noise);
            return memory;
        }
    }

    private sealed class Peer(Files files, int memory, Channel channel) : IPeer
    {
        private readonly List<IPeerFile> _received = [];
        private readonly byte[] _buffer = new byte[4096];

        public int Room => -1;

        public void Send(ReadOnlySpan<byte> bytes, IReadOnlyList<FileKind> kinds)
        {
            if (bytes.Length != 0)
            {
                // It may be closed by now, as it should be after some messages.
                _ = channel.TrySend(bytes, [.. kinds.Select(kind => files[kind, memory])], 0);
            }
        }

        public void SendLater(int milliseconds, ReadOnlySpan<byte> bytes, IReadOnlyList<FileKind> kinds) => throw new NotSupportedException();

        public void ReadAfter(int milliseconds) => throw new NotSupportedException();

        public void SendRest()
        {
            // Everything was sent at once.
        }

        public bool Receive(List<byte> bytes)
        {
            while (true)
            {
                ReceiveStatus status = channel.Receive(_buffer, _received, out int count);
                _received.ForEach(static file => file.Dispose());
                _received.Clear();
                if (status != ReceiveStatus.Data)
                {
                    return status == ReceiveStatus.WouldBlock;
                }

                bytes.AddRange(_buffer.AsSpan(0, count));
            }
        }

        public void Dispose() => channel.Dispose();
    }
}
