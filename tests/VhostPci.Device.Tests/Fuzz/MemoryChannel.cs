// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>One end of a stream of bytes and descriptors; reads never reach over the place where descriptors came, as the kernel's do not.</summary>
internal sealed class MemoryChannel : IChannel, IPeer
{
    private const int Capacity = 400;

    private readonly MemoryPorts _ports;
    private readonly Contents _memory;
    private readonly Queue<(byte[] Bytes, FileKind[] Files)> _incoming = new();
    private readonly Queue<(int Delay, byte[] Bytes, FileKind[] Files)> _later = new();
    private MemoryChannel? _other;
    private int _taken;
    private int _unread;
    private int? _readsAfter;
    private bool _closed;
    private bool _shut;

    private MemoryChannel(MemoryPorts ports, Contents memory, bool isServer)
    {
        _ports = ports;
        _memory = memory;
        Descriptor = isServer ? ports.Open(kind: null) : -1;
    }

    public int Descriptor { get; }

    public PeerCredentials Peer => new(7, 0, 0);

    public int Unclosed => 0;

    private bool IsOver => _closed || _shut;

    public int Room => Capacity - _unread;

    /// <summary>What happens to time when somebody waits.</summary>
    internal Action<int>? Waiting { get; set; }

    /// <summary>The two ends; the first is the product's.</summary>
    internal static (MemoryChannel Product, MemoryChannel Test) Pair(MemoryPorts ports, Contents memory)
    {
        var product = new MemoryChannel(ports, memory, isServer: true);
        var test = new MemoryChannel(ports, memory, isServer: false) { _other = product };
        product._other = test;
        return (product, test);
    }

    public ReceiveStatus Receive(Span<byte> buffer, ICollection<IPeerFile> files, out int count)
    {
        Assert.False(_closed, "read from a closed channel");
        Assert.NotEqual(0, buffer.Length);
        count = 0;
        if (!_incoming.TryPeek(out (byte[] Bytes, FileKind[] Files) chunk))
        {
            return _other!.IsOver ? ReceiveStatus.Closed : ReceiveStatus.WouldBlock;
        }

        if (_taken == 0)
        {
            if (chunk.Files.Length > MessageHeader.MaxDescriptors)
            {
                _incoming.Dequeue();
                return ReceiveStatus.Truncated;
            }

            foreach (FileKind kind in chunk.Files)
            {
                files.Add(new MemoryFile(_ports, kind, _memory));
            }
        }

        count = Math.Min(buffer.Length, chunk.Bytes.Length - _taken);
        chunk.Bytes.AsSpan(_taken, count).CopyTo(buffer);
        _taken += count;
        _unread -= count;
        if (_taken == chunk.Bytes.Length)
        {
            _taken = 0;
            _incoming.Dequeue();
        }

        return ReceiveStatus.Data;
    }

    public bool TrySend(ReadOnlySpan<byte> data, ReadOnlySpan<int> descriptors, int timeoutMilliseconds)
    {
        Assert.False(_closed, "wrote to a closed channel");
        if (!_other!.IsOver && _other._unread + data.Length > Capacity)
        {
            bool inTime = _other._readsAfter < timeoutMilliseconds;
            Waiting?.Invoke(inTime ? _other._readsAfter!.Value : timeoutMilliseconds);
            if (!inTime)
            {
                return false;
            }

            // What it has read is in its own hands, from where Receive takes it.
            _other._unread = 0;
        }

        return !_other.IsOver && Put(data, []);
    }

    public bool WaitReadable(int timeoutMilliseconds)
    {
        Assert.False(_closed, "waits on a closed channel");
        Assert.True(timeoutMilliseconds > 0);
        if (_incoming.Count != 0 || _other!.IsOver)
        {
            return true;
        }

        if (!_other._later.TryPeek(out (int Delay, byte[] Bytes, FileKind[] Files) next) || next.Delay >= timeoutMilliseconds)
        {
            Waiting?.Invoke(timeoutMilliseconds);
            return false;
        }

        Waiting?.Invoke(next.Delay);
        _other._later.Dequeue();
        _other.Put(next.Bytes, next.Files);
        return true;
    }

    public void ShutDown()
    {
        Assert.False(_closed, "shut down when closed");
        _shut = true;
    }

    public void Send(ReadOnlySpan<byte> bytes, IReadOnlyList<FileKind> files)
    {
        if (!_other!.IsOver && bytes.Length != 0)
        {
            Put(bytes, [.. files]);
        }
    }

    public void SendLater(int milliseconds, ReadOnlySpan<byte> bytes, IReadOnlyList<FileKind> files)
        => _later.Enqueue((milliseconds, bytes.ToArray(), [.. files]));

    public void ReadAfter(int milliseconds)
    {
        _readsAfter = milliseconds;
        _unread = Capacity;
    }

    public void SendRest()
    {
        while (_later.TryDequeue(out (int Delay, byte[] Bytes, FileKind[] Files) next))
        {
            Send(next.Bytes, next.Files);
        }
    }

    public bool Receive(List<byte> bytes)
    {
        foreach ((byte[] chunk, _) in _incoming)
        {
            bytes.AddRange(chunk);
        }

        _incoming.Clear();
        _unread = 0;
        return !_other!.IsOver;
    }

    public void Dispose()
    {
        if (Descriptor >= 0)
        {
            Assert.False(_closed, "closed twice");
            _ports.Close(Descriptor);
        }

        _closed = true;
    }

    private bool Put(ReadOnlySpan<byte> bytes, FileKind[] files)
    {
        _other!._incoming.Enqueue((bytes.ToArray(), files));
        _other._unread += bytes.Length;
        return true;
    }
}
