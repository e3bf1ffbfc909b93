// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Surroundings without a kernel: fast, and each thing knows what must not be done to it.</summary>
internal sealed class MemoryPorts : IPorts, IListener, IWindowFactory
{
    private readonly HashSet<int> _open = [];
    private readonly HashSet<int> _events = [];
    private readonly Queue<MemoryChannel> _waiting = new();
    private readonly Contents[] _memory = [.. Enumerable.Range(0, Step.Peers).Select(static _ => new Contents())];
    private readonly (long Found, long Expected)[] _compared = new (long, long)[Step.Peers];
    private int _last = 100;
    private int _windows;

    public IListener Listener => this;

    public IWindowFactory Windows => this;

    public int Descriptor => 1;

    public int HeldByServer => _open.Count;

    public IPeer Connect(int memory)
    {
        (MemoryChannel server, MemoryChannel peer) = MemoryChannel.Pair(this, _memory[memory]);
        _waiting.Enqueue(server);
        return peer;
    }

    public void Write(int memory, Contents contents) => _memory[memory].CopyFrom(contents);

    public void AssertHolds(int memory, Contents contents)
    {
        if (_compared[memory] == (_memory[memory].Version, contents.Version))
        {
            return;
        }

        foreach (int page in _memory[memory].Pages.Union(contents.Pages))
        {
            contents.AssertPage(page, _memory[memory].Bytes(page));
        }

        _compared[memory] = (_memory[memory].Version, contents.Version);
    }

    public bool TimeIsOurs => true;

    public (IPeer Server, IChannel Client) ConnectClient(Action<int> waiting)
    {
        (MemoryChannel client, MemoryChannel peer) = MemoryChannel.Pair(this, new Contents());
        client.Waiting = waiting;
        return (peer, client);
    }

    public int Own(FileKind kind) => 3 + (int)kind;

    public bool IsOpenEvent(int descriptor) => _events.Contains(descriptor);

    public void AssertNothingLeft()
    {
        Assert.Empty(_waiting);
        Assert.Empty(_open);
        Assert.Empty(_events);
        Assert.Equal(0, _windows);
    }

    public bool TrySetMode(string path, UnixFileMode mode, out string error) => throw new NotSupportedException();

    public bool TryAccept(out IChannel? channel, out bool outOfDescriptors)
    {
        outOfDescriptors = false;
        bool taken = _waiting.TryDequeue(out MemoryChannel? next);
        channel = next;
        return taken;
    }

    public bool TryReserve(ulong size, out IWindow? window, out string error)
    {
        _windows++;
        window = new MemoryWindow(this, size);
        error = string.Empty;
        return true;
    }

    public void Dispose()
    {
        // Nothing is held.
    }

    internal int Open(FileKind? kind)
    {
        int number = ++_last;
        _open.Add(number);
        if (kind == FileKind.Event)
        {
            _events.Add(number);
        }

        return number;
    }

    internal bool IsOpen(int number) => _open.Contains(number);

    internal void Close(int number)
    {
        Assert.True(_open.Remove(number), "closed twice");
        _events.Remove(number);
    }

    internal void Unreserve() => _windows--;
}
