// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;
using VhostPci.Linux.Sockets;
using VhostPci.Testing;

namespace VhostPci.Linux.Tests;

/// <summary>Bytes and descriptors over real sockets.</summary>
public sealed class ChannelTests : IDisposable
{
    private Channel _left;
    private Channel _right;
    private readonly Descriptor _event = EventDescriptor.Create();
    private readonly List<IPeerFile> _files = [];
    private readonly byte[] _buffer = new byte[64];

    public ChannelTests() => (_left, _right) = SocketPair.Create();

    public void Dispose()
    {
        _left.Dispose();
        _right.Dispose();
        _event.Dispose();
        DisposeFiles();
    }

    [Fact]
    public void NothingThereIsWouldBlock()
    {
        Assert.Equal(ReceiveStatus.WouldBlock, _right.Receive(_buffer, _files, out int count));
        Assert.Equal(0, count);
    }

    [Fact]
    public void PeerGoneIsClosed()
    {
        _left.Dispose();

        Assert.Equal(ReceiveStatus.Closed, _right.Receive(_buffer, _files, out int count));
        Assert.Equal(0, count);
        Assert.False(_right.TrySend([1], default, 0));
    }

    [Fact]
    public void PeerIsThisProcess() => Assert.Equal(Environment.ProcessId, _right.Peer.Pid);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    public void DescriptorsArriveWithTheBytes(int number)
    {
        Assert.True(_left.TrySend([1, 2, 3], Copies(number), 0));

        Assert.Equal(ReceiveStatus.Data, _right.Receive(_buffer, _files, out int count));

        Assert.Equal([1, 2, 3], _buffer[..count]);
        Assert.Equal(number, _files.Count);
        Assert.All(_files, static f => Assert.True(f.IsEventDescriptor));
        Assert.Equal(number, _files.Select(static f => f.Descriptor).Distinct().Count());
    }

    [Theory]
    [InlineData(9)]
    [InlineData(64)]
    [InlineData(253)]
    public void TooManyDescriptorsAreTruncatedAndNoneIsLeft(int number)
    {
        int before = OpenDescriptors.Count();
        Assert.True(_left.TrySend([1], Copies(number), 0));

        Assert.Equal(ReceiveStatus.Truncated, _right.Receive(_buffer, _files, out int count));

        Assert.Equal(0, count);
        Assert.Empty(_files);
        Assert.Equal(before, OpenDescriptors.Count());
    }

    [Fact]
    public void DescriptorsOnALaterByteComeWithThatByte()
    {
        Assert.True(_left.TrySend([1], default, 0));
        Assert.True(_left.TrySend([2], Copies(1), 0));

        Assert.Equal(ReceiveStatus.Data, _right.Receive(_buffer.AsSpan(0, 1), _files, out _));
        Assert.Empty(_files);
        Assert.Equal(ReceiveStatus.Data, _right.Receive(_buffer.AsSpan(0, 1), _files, out _));
        Assert.Single(_files);
    }

    [Fact]
    public void DescriptorsOfALaterMessageWaitForIt()
    {
        Assert.True(_left.TrySend([1, 2], default, 0));
        Assert.True(_left.TrySend([3], default, 0));
        Assert.True(_left.TrySend([4], Copies(2), 0));
        int before = OpenDescriptors.Count();

        // All of it is there: the kernel shows the descriptors already at the first byte.
        foreach (byte expected in (byte[])[1, 2, 3])
        {
            Assert.Equal(ReceiveStatus.Data, _right.Receive(_buffer.AsSpan(0, 1), _files, out _));
            Assert.Equal(expected, _buffer[0]);
            Assert.Empty(_files);
            Assert.Equal(before, OpenDescriptors.Count());
        }

        Assert.Equal(ReceiveStatus.Data, _right.Receive(_buffer.AsSpan(0, 1), _files, out _));
        Assert.Equal(4, _buffer[0]);
        Assert.Equal(2, _files.Count);
    }

    [Fact]
    public void ReceivedDescriptorsAreCloseOnExec()
    {
        Assert.True(_left.TrySend([1], Copies(1), 0));
        Assert.Equal(ReceiveStatus.Data, _right.Receive(_buffer, _files, out _));

        string flags = File.ReadLines($"/proc/self/fdinfo/{_files[0].Descriptor}").Single(static l => l.StartsWith("flags:", StringComparison.Ordinal));
        Assert.NotEqual(0, Convert.ToInt32(flags[6..].Trim(), 8) & 0x80000);
    }

    [Fact]
    public async Task LargeDataIsSentInPiecesWithItsDescriptorsOnce()
    {
        byte[] data = new byte[4 << 20];
        Random.Shared.NextBytes(data);
        var received = new MemoryStream();
        Task reader = Task.Run(() =>
        {
            byte[] buffer = new byte[65536];
            while (received.Length < data.Length && _right.WaitReadable(60_000))
            {
                if (_right.Receive(buffer, _files, out int count) == ReceiveStatus.Data)
                    received.Write(buffer, 0, count);
            }
        }, TestContext.Current.CancellationToken);

        Assert.True(_left.TrySend(data, Copies(3), 60_000));
        await reader.WaitAsync(TimeSpan.FromSeconds(120), TestContext.Current.CancellationToken);

        Assert.Equal(data, received.ToArray());
        Assert.Equal(3, _files.Count);
    }

    [Fact]
    public void SendGivesUpOnAPeerThatDoesNotRead()
    {
        byte[] data = new byte[16 << 20];
        long start = Environment.TickCount64;

        Assert.False(_left.TrySend(data, default, 50));

        Assert.InRange(Environment.TickCount64 - start, 40, 60_000);
    }

    [Fact]
    public void WaitReadableTellsDataFromSilence()
    {
        Assert.False(_right.WaitReadable(10));
        Assert.True(_left.TrySend([1], default, 0));
        Assert.True(_right.WaitReadable(0));
    }

    [Fact]
    public void BlockingSocketDoesNotBlockUs()
    {
        using Channel copy = Channel.Duplicate(_right.Descriptor)!;
        SetBlocking(copy.Descriptor);

        Assert.Equal(ReceiveStatus.WouldBlock, copy.Receive(_buffer, _files, out _));
        Assert.False(copy.TrySend(new byte[16 << 20], default, 0));
    }

    [Fact]
    public void DuplicateOfNothingIsNull() => Assert.Null(Channel.Duplicate(-1));

    [Fact]
    public void ListenerHandsOutOneConnectionAtATime()
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("vhost-pci-").FullName, "socket");
        using var server = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        server.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
        server.Listen();
        server.Blocking = false;
        SetNonBlocking((int)server.Handle);
        var listener = new Listener((int)server.Handle);
        Assert.False(listener.TryAccept(out IChannel? none, out bool outOfDescriptors));
        Assert.Null(none);
        Assert.False(outOfDescriptors);

        using var client = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        client.Connect(new System.Net.Sockets.UnixDomainSocketEndPoint(path));

        Assert.True(listener.TryAccept(out IChannel? channel, out _));
        using (channel)
            Assert.Equal(Environment.ProcessId, channel!.Peer.Pid);
        Assert.False(listener.TryAccept(out _, out _));
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [Fact]
    public void ListenerTellsWhenDescriptorsRunOut()
    {
        string folder = Directory.CreateTempSubdirectory("vhost-pci-").FullName;
        var endPoint = new System.Net.Sockets.UnixDomainSocketEndPoint(Path.Combine(folder, "socket"));
        using var server = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        server.Bind(endPoint);
        server.Listen();
        SetNonBlocking((int)server.Handle);
        var listener = new Listener((int)server.Handle);
        Assert.Equal((int)server.Handle, listener.Descriptor);
        using var client = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        client.Connect(endPoint);

        bool taken;
        bool outOfDescriptors;
        using (DescriptorLimit.LeaveRoomFor(0))
            taken = listener.TryAccept(out _, out outOfDescriptors);

        Assert.False(taken);
        Assert.True(outOfDescriptors);
        Assert.True(listener.TryAccept(out IChannel? channel, out _));
        channel!.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void TenThousandRoundsLeakNothing()
    {
        int before = OpenDescriptors.Count();
        for (int round = 0; round < 10_000; round++)
        {
            int number = round % 10;
            Assert.True(_left.TrySend([1], Copies(number), 0));
            Assert.Equal(number > 8 ? ReceiveStatus.Truncated : ReceiveStatus.Data, _right.Receive(_buffer, _files, out _));
            Assert.Equal(number > 8 ? 0 : number, _files.Count);
            DisposeFiles();
            if (number > 8)
            {
                // What was too much is in the socket still.
                _left.Dispose();
                _right.Dispose();
                (_left, _right) = SocketPair.Create();
            }
        }

        Assert.Equal(before, OpenDescriptors.Count());
    }

    [Fact]
    public void TenThousandPeersThatLeaveDescriptorsUnreadLeakNothing()
    {
        int before = OpenDescriptors.Count();
        for (int round = 0; round < 10_000; round++)
        {
            (Channel left, Channel right) = SocketPair.Create();
            Assert.True(left.TrySend([1, 2], Copies(2), 0));
            left.Dispose();
            right.Dispose();
        }

        Assert.Equal(before, OpenDescriptors.Count());
    }

    [Fact]
    public void DisposedTwiceClosesOnce()
    {
        (Channel left, Channel right) = SocketPair.Create();
        int number = left.Descriptor;
        left.Dispose();
        using Descriptor reused = EventDescriptor.Create();
        Assert.Equal(number, reused.Number);

        left.Dispose();

        using var file = new PeerFile(Descriptor.Duplicate(reused.Number)!);
        Assert.True(file.IsEventDescriptor);
        Assert.Throws<ObjectDisposedException>(() => left.Descriptor);
        right.Dispose();
    }

    [Fact]
    public void OutOfDescriptorsTruncatesAndClosesWhatCame()
    {
        int before = OpenDescriptors.Count();
        Assert.True(_left.TrySend([1], Copies(8), 0));

        ReceiveStatus status;
        using (DescriptorLimit.LeaveRoomFor(4))
            status = _right.Receive(_buffer, _files, out _);

        Assert.Equal(ReceiveStatus.Truncated, status);
        Assert.Empty(_files);
        Assert.Equal(before, OpenDescriptors.Count());
    }

    private int[] Copies(int number) => [.. Enumerable.Repeat(_event.Number, number)];

    private void DisposeFiles()
    {
        foreach (IPeerFile file in _files)
            file.Dispose();
        _files.Clear();
    }

    private static void SetBlocking(int number) => Assert.Equal(0, Libc.LibcFiles.Control(number, Libc.LibcConstants.F_SETFL, 0));

    private static void SetNonBlocking(int number)
        => Assert.Equal(0, Libc.LibcFiles.Control(number, Libc.LibcConstants.F_SETFL, Libc.LibcConstants.O_NONBLOCK));
}
