// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;
using VhostPci.Testing;

namespace VhostPci.Device.Tests.Support;

/// <summary>A vhost-user front-end that says what it is told to, right or wrong.</summary>
internal sealed class FrontEnd(FakeHost host, Channel channel) : IDisposable
{
    internal const ulong MemorySize = 16UL << 20;
    internal const ulong UserBase = 0x7f00_0000_0000;
    internal const uint RingSize = 256;

    private readonly List<Descriptor> _files = [];

    internal Descriptor? Memory { get; private set; }

    internal static ulong Features => VirtioFeatures.Version1 | VirtioFeatures.RingEventIndex | VirtioFeatures.VhostUserProtocolFeatures;

    /// <summary>What the guest's driver is shown of them.</summary>
    internal static ulong ShownFeatures => Features & ~VirtioFeatures.VhostUserProtocolFeatures;

    /// <summary>Whether the server has closed the connection.</summary>
    internal bool IsClosed
    {
        get
        {
            host.Pump();
            var files = new List<IPeerFile>();
            Span<byte> one = stackalloc byte[1];
            return channel.Receive(one, files, out _) == ReceiveStatus.Closed;
        }
    }

    internal Descriptor NewEvent() => Keep(EventDescriptor.Create());

    internal Descriptor NewMemory(ulong size = MemorySize, bool sealShrink = true) => Keep(MemoryFile.Create("vhost-pci-test", size, sealShrink));

    internal Descriptor Keep(Descriptor file)
    {
        _files.Add(file);
        return file;
    }

    internal void SendRaw(ReadOnlySpan<byte> bytes, params int[] files)
    {
        // A server that has closed already is what some tests want.
        _ = channel.TrySend(bytes, files, 0);
        host.Pump();
    }

    /// <summary>Sends, and the server's turn does not come before <see cref="Pump"/>.</summary>
    internal void SendQuietly(RequestCode request, ReadOnlySpan<byte> payload, params int[] files)
    {
        byte[] buffer = new byte[MessageHeader.Size + payload.Length];
        _ = channel.TrySend(MessageWriter.Write(buffer, request, MessageFlags.None, payload), files, 0);
    }

    internal void Pump() => host.Pump();

    internal void Send(RequestCode request, ReadOnlySpan<byte> payload, params int[] files) => Send(request, MessageFlags.None, payload, files);

    internal void Send(RequestCode request, MessageFlags flags, ReadOnlySpan<byte> payload, params int[] files)
    {
        byte[] buffer = new byte[MessageHeader.Size + payload.Length];
        SendRaw(MessageWriter.Write(buffer, request, flags, payload), files);
    }

    internal void Send(RequestCode request) => Send(request, []);

    internal void Send(RequestCode request, ulong value)
    {
        byte[] payload = new byte[U64Payload.Size];
        new U64Payload(value).Write(payload);
        Send(request, payload);
    }

    internal void SendState(RequestCode request, uint index, uint value)
    {
        byte[] payload = new byte[VringState.Size];
        new VringState(index, value).Write(payload);
        Send(request, payload);
    }

    internal void SendFile(RequestCode request, uint index, Descriptor? file)
    {
        byte[] payload = new byte[VringFile.Size];
        new VringFile(index, file is not null).Write(payload);
        Send(request, payload, file is null ? [] : [file.Number]);
    }

    internal void SendAddress(uint index, ulong user)
    {
        byte[] payload = new byte[VringAddress.Size];
        new VringAddress(index, 0, user, user + 0x3000, user + 0x2000, 0).Write(payload);
        Send(RequestCode.SetVringAddress, payload);
    }

    internal void SendTable(params (MemoryRegion Region, Descriptor File)[] regions)
    {
        byte[] payload = new byte[MemoryPayload.TableSize(regions.Length)];
        MemoryPayload.WriteTable(payload, [.. regions.Select(region => region.Region)]);
        Send(RequestCode.SetMemoryTable, payload, [.. regions.Select(region => region.File.Number)]);
    }

    internal void SendSingle(RequestCode request, MemoryRegion region, params int[] files)
    {
        byte[] payload = new byte[MemoryPayload.SingleSize];
        new RegionPayload(region).Write(payload);
        Send(request, payload, files);
    }

    internal void SendInfo(ulong memoryEnd = MemorySize, string name = "nic", byte lastOfMac = 1, ushort pairs = 1, ushort kind = VirtioDeviceId.Net)
    {
        MacAddress mac = MacAddress.Read([0x52, 0x54, 0, 0, 0, lastOfMac]);
        byte[] payload = new byte[DeviceInfo.Size];
        new DeviceInfo(kind, pairs, Guid.Empty, mac, 1500, memoryEnd, name).Write(payload);
        Send(RequestCode.SetDeviceInfo, payload);
    }

    /// <summary>What the server wants of its front-end; null for nothing.</summary>
    internal (BackEndRequest Request, ulong Value)? TryReceiveRequest()
    {
        host.Pump();
        byte[] buffer = new byte[MessageHeader.Size + U64Payload.Size];
        var files = new List<IPeerFile>();
        if (channel.Receive(buffer, files, out int count) != ReceiveStatus.Data)
        {
            return null;
        }

        Assert.Equal(buffer.Length, count);
        Assert.Empty(files);
        MessageHeader header = MessageHeader.Read(buffer);
        Assert.Equal(MessageFlags.Version1, header.Flags);
        Assert.True(U64Payload.TryParse(buffer.AsSpan(MessageHeader.Size), out U64Payload value));
        return ((BackEndRequest)header.Request, value.Value);
    }

    internal byte[]? TryReceive(RequestCode request)
    {
        host.Pump();
        byte[] buffer = new byte[MessageHeader.Size + 64];
        var files = new List<IPeerFile>();
        if (channel.Receive(buffer.AsSpan(0, MessageHeader.Size), files, out int count) != ReceiveStatus.Data || count != MessageHeader.Size)
        {
            return null;
        }

        MessageHeader header = MessageHeader.Read(buffer);
        Assert.Equal(request, header.Request);
        Assert.Equal(MessageFlags.Version1 | MessageFlags.Reply, header.Flags);
        Assert.Equal(ReceiveStatus.Data, channel.Receive(buffer.AsSpan(MessageHeader.Size, (int)header.PayloadSize), files, out _));
        Assert.Empty(files);
        return buffer[MessageHeader.Size..(MessageHeader.Size + (int)header.PayloadSize)];
    }

    /// <summary>Throws away what the server has answered.</summary>
    internal void TryReceiveAny()
    {
        byte[] buffer = new byte[4096];
        var files = new List<IPeerFile>();
        while (channel.Receive(buffer, files, out _) == ReceiveStatus.Data)
        {
            Assert.Empty(files);
        }
    }

    internal ulong Ask(RequestCode request)
    {
        Send(request);
        byte[]? reply = TryReceive(request);
        Assert.NotNull(reply);
        Assert.True(U64Payload.TryParse(reply, out U64Payload value));
        return value.Value;
    }

    internal VringState AskBase(uint index)
    {
        SendState(RequestCode.GetVringBase, index, 0);
        byte[]? reply = TryReceive(RequestCode.GetVringBase);
        Assert.NotNull(reply);
        Assert.True(VringState.TryParse(reply, out VringState state));
        return state;
    }

    /// <summary>Features and protocol features, as every front-end begins.</summary>
    internal void Negotiate(ulong protocolFeatures = ProtocolFeatures.Offered)
    {
        Assert.Equal(VirtioNetFeatures.Offered, Ask(RequestCode.GetFeatures));
        Assert.Equal(ProtocolFeatures.Offered, Ask(RequestCode.GetProtocolFeatures));
        Send(RequestCode.SetProtocolFeatures, protocolFeatures);
        Send(RequestCode.SetOwner);
    }

    internal static MemoryRegion Region => new(0, MemorySize, UserBase, 0);

    internal static ulong RingAddress(uint index) => UserBase + 0x10000 + (0x10000UL * index);

    internal void SendMemory()
    {
        Memory ??= NewMemory();
        SendTable((Region, Memory));
    }

    internal void SendRing(uint index, uint position = 0)
    {
        SendState(RequestCode.SetVringNum, index, RingSize);
        SendState(RequestCode.SetVringBase, index, position);
        SendAddress(index, RingAddress(index));
        SendFile(RequestCode.SetVringKick, index, NewEvent());
        SendFile(RequestCode.SetVringCall, index, NewEvent());
    }

    /// <summary>A pair of rings, complete and enabled.</summary>
    internal void SendPair(uint pair)
    {
        foreach (uint index in (ReadOnlySpan<uint>)[2 * pair, (2 * pair) + 1])
        {
            SendRing(index);
            SendState(RequestCode.SetVringEnable, index, 1);
        }
    }

    /// <summary>From nothing to running rings.</summary>
    internal void Start(ulong memoryEnd = MemorySize, string name = "nic", byte lastOfMac = 1, ushort pairs = 1)
    {
        Negotiate();
        SendInfo(memoryEnd, name, lastOfMac, pairs);
        Run();
        for (uint pair = 1; pair < pairs; pair++)
        {
            SendPair(pair);
        }
    }

    internal void Run()
    {
        Send(RequestCode.SetFeatures, Features);
        SendMemory();
        SendRing(0);
        SendRing(1);
        SendState(RequestCode.SetVringEnable, 0, 1);
        SendState(RequestCode.SetVringEnable, 1, 1);
    }

    /// <summary>Puts a number into the guest's memory.</summary>
    internal void Poke(ulong offset, ushort value)
    {
        using FileStream stream = new($"/proc/self/fd/{Memory!.Number}", FileMode.Open, FileAccess.Write);
        stream.Seek((long)offset, SeekOrigin.Begin);
        stream.Write(BitConverter.GetBytes(value));
    }

    public void Dispose()
    {
        channel.Dispose();
        foreach (Descriptor file in _files)
        {
            file.Dispose();
        }

        host.Pump();
    }
}
