// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Clients;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Files;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;
using VhostPci.Testing;

namespace VhostPci.Device.Tests;

public sealed class ClientTests
{
    private const int NotConnected = -107;
    private const int BrokenPipe = -32;
    private const int InvalidArgument = -22;
    private const int TimedOut = -110;

    [Fact]
    public void Client_and_server_reach_link_up_and_stop_again()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic) = Create(rig);
        client.Connected(rig.Listener.Connect());
        rig.Host.Pump(20);
        Assert.True(nic.Link);
        FakeDevice device = Assert.Single(rig.Bridge.Devices);
        device.StartDriver();

        using Descriptor memory = MemoryFile.Create("vhost-pci-test", FrontEnd.MemorySize, sealShrink: true);
        using Descriptor kick = EventDescriptor.Create();
        using Descriptor call = EventDescriptor.Create();
        Assert.Equal(0, client.SetFeatures(VirtioFeatures.Version1));
        Assert.Equal(0, client.SetMemory([new(0, 0xa0000, 0, memory.Number), new(0x100000, FrontEnd.MemorySize - 0x100000, 0x100000, memory.Number)]));
        for (uint i = 0; i < 2; i++)
        {
            ulong at = 0x10000 * (i + 1UL);
            Assert.Equal(0, client.SetVringNum(i, 256));
            Assert.Equal(0, client.SetVringBase(i, 0));
            Assert.Equal(0, client.SetVringAddress(i, at, at + 0x2000, at + 0x3000));
            Assert.Equal(0, client.SetVringFile(i, RingEndpoint.Kick, kick.Number));
            Assert.Equal(0, client.SetVringFile(i, RingEndpoint.Call, call.Number));
            Assert.Equal(0, client.Enable(i, true));
        }

        rig.Host.Pump(40);
        Assert.True(device.Link);
        Assert.Equal(0x10000UL, device.Read64(NetConfigAt.Rings + GuestAbi.Ring.Desc));
        Assert.Equal(FrontEnd.MemorySize, device.Device.MappedBytes);
        Assert.Empty(rig.Log.Warnings);

        // In one process the server cannot answer while the client waits: a signal handler of the test's own is not worth it.
        client.Disconnected();
        Assert.False(nic.Link);
        rig.Host.Pump();
        Assert.False(device.Link);
        rig.Library.Destroy(client);
    }

    [Fact]
    public void Get_vring_base_waits_for_its_reply_and_takes_no_other()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = Handshake(rig);
        byte[] reply = new byte[MessageHeader.Size + VringState.Size];
        Reply(server, MessageWriter.Write(reply, RequestCode.GetVringBase, MessageFlags.Reply, new VringState(1, 77)));
        Assert.Equal(77, client.Stop(1));

        // Half of it first: the client waits for the rest, in vain, but not for ever.
        Reply(server, reply.AsSpan(0, 5));
        Assert.Equal(TimedOut, client.Stop(1));
        Assert.Equal(NotConnected, client.Stop(1));
        Assert.True(nic.Link);
        rig.Host.Advance(10);
        Assert.False(nic.Link);
        Assert.Equal(1, nic.Disconnects);
        server.Dispose();
    }

    [Theory]
    [InlineData((uint)RequestCode.GetVringBase, 0U, 1U)]
    [InlineData((uint)RequestCode.GetFeatures, 1U, 1U)]
    [InlineData((uint)RequestCode.GetVringBase, 1U, 0x10000U)]
    public void A_wrong_reply_ends_the_connection(uint request, uint index, uint value)
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = Handshake(rig);
        byte[] reply = new byte[MessageHeader.Size + VringState.Size];
        Reply(server, MessageWriter.Write(reply, (RequestCode)request, MessageFlags.Reply, new VringState(index, value)));
        Assert.Equal(BrokenPipe, client.Stop(1));
        Assert.Equal(1, nic.Disconnects);
        Assert.Contains("unexpected reply", rig.Log.Warnings[^1], StringComparison.Ordinal);
        server.Dispose();
    }

    [Fact]
    public void A_client_without_a_connection_says_so_quietly()
    {
        using var rig = new Rig();
        (VhostPciClient client, _) = Create(rig);
        Assert.Equal(NotConnected, client.SetFeatures(0));
        Assert.Equal(NotConnected, client.SetMemory([]));
        Assert.Equal(NotConnected, client.SetVringNum(0, 256));
        Assert.Equal(NotConnected, client.SetVringBase(0, 0));
        Assert.Equal(NotConnected, client.SetVringAddress(0, 0, 0, 0));
        Assert.Equal(NotConnected, client.SetVringFile(0, RingEndpoint.Kick, -1));
        Assert.Equal(NotConnected, client.Enable(0, true));
        Assert.Equal(NotConnected, client.Stop(0));
        Assert.Empty(rig.Log.Warnings);
    }

    [Fact]
    public void Memory_that_is_not_shared_is_explained()
    {
        using var rig = new Rig();
        (VhostPciClient client, _, Channel server) = Handshake(rig);
        Assert.Equal(InvalidArgument, client.SetMemory([]));
        Assert.Contains("add -object memory-backend-memfd,id=mem,size=<ram>,share=on -machine memory-backend=mem", rig.Log.Warnings[^1], StringComparison.Ordinal);
        Assert.Equal(InvalidArgument, client.SetMemory([.. Enumerable.Range(0, 9).Select(i => new MemorySection((ulong)i << 30, 0x1000, 0, i))]));
        Assert.Contains("9 pieces", rig.Log.Warnings[^1], StringComparison.Ordinal);
        server.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Memory_that_a_server_may_refuse_is_named_when_it_has_closed(bool isNoticedBySending)
    {
        using var rig = new Rig();
        (VhostPciClient client, _, Channel server) = Handshake(rig);
        using Descriptor memory = MemoryFile.Create("vhost-pci-test", 0x1000, sealShrink: false);
        Assert.Equal(0, client.SetMemory([new(0, 0x1000, 0, memory.Number)], [new("m0", 2), new("m1", 1), new("m2", -22), new("m1", 0)]));
        server.Dispose();
        if (isNoticedBySending)
        {
            Assert.NotEqual(0, client.SetVringNum(0, 256));
        }

        rig.Host.Pump();
        string said = Assert.Single(rig.Log.Warnings);
        Assert.Contains("; memory backend 'm1' is not sealed against shrinking", said, StringComparison.Ordinal);
        Assert.Contains("; memory backend 'm2' is not a file on tmpfs or hugetlbfs", said, StringComparison.Ordinal);
        Assert.Equal(2, said.Split("use memory-backend-memfd for it").Length - 1);
        Assert.DoesNotContain("'m0'", said, StringComparison.Ordinal);
        rig.Library.Destroy(client);
    }

    [Fact]
    public void A_server_that_lacks_what_the_driver_uses_makes_it_choose_again()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic) = Create(rig);
        nic.DriverFeatures = VirtioFeatures.Version1 | VirtioNetFeatures.HostTso4;
        (Channel left, Channel right) = SocketPair.Create();
        client.Connected(left);
        byte[] reply = new byte[MessageHeader.Size + U64Payload.Size];
        Reply(right, MessageWriter.Write(reply, RequestCode.GetFeatures, MessageFlags.Reply, VirtioNetFeatures.Offered & ~VirtioNetFeatures.HostTso4));
        rig.Host.Pump();
        Assert.False(nic.Link);
        Assert.Equal(1, nic.Resets);
        Assert.Equal(client.OfferedFeatures & ~VirtioNetFeatures.HostTso4, nic.Offered);
        Assert.Contains("host_tso4", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        rig.Library.Destroy(client);
        right.Dispose();
    }

    [Fact]
    public void A_server_that_does_not_answer_is_given_up()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic) = Create(rig);
        (Channel left, Channel right) = SocketPair.Create();
        client.Connected(left);
        rig.Host.Pump();
        rig.Host.Advance(5000);
        Assert.Equal(1, nic.Disconnects);
        right.Dispose();
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(4, true)]
    public void Only_a_device_with_several_pairs_offers_multiqueue(ushort pairs, bool offers)
    {
        using var rig = new Rig();
        (VhostPciClient client, _) = Create(rig, pairs);
        Assert.Equal(offers, (client.OfferedFeatures & VirtioNetFeatures.MultiQueue) != 0);
        rig.Library.Destroy(client);
    }

    [Fact]
    public void A_server_with_fewer_pairs_than_the_device_is_of_no_use()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = Handshake(rig, pairs: 4, serverPairs: 3);
        Assert.False(nic.Link);
        Assert.Contains("takes 3 queue pairs and this device has 4: lower vhost-pci-queues=", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    private static (VhostPciClient Client, FakeNic Nic) Create(Rig rig, ushort pairs = 1)
    {
        var nic = new FakeNic();
        return (rig.Library.CreateClient(nic, new ClientConfig("nic", new DeviceInfo(VirtioDeviceId.Net, pairs, Guid.Empty, default, 0, FrontEnd.MemorySize, "nic"))), nic);
    }

    internal static (VhostPciClient Client, FakeNic Nic, Channel Server) Handshake(
        Rig rig, ushort pairs = 1, ulong serverPairs = 1, ulong serverProtocol = ProtocolFeatures.Offered)
    {
        (VhostPciClient client, FakeNic nic) = Create(rig, pairs);
        Channel server = Handshake(rig, client, serverPairs, serverProtocol);
        Assert.Equal(pairs <= serverPairs, nic.Link);
        return (client, nic, server);
    }

    internal static Channel Handshake(Rig rig, VhostPciClient client, ulong serverPairs = 1, ulong serverProtocol = ProtocolFeatures.Offered)
    {
        (Channel left, Channel right) = SocketPair.Create();
        client.Connected(left);
        byte[] reply = new byte[MessageHeader.Size + U64Payload.Size];
        Reply(right, MessageWriter.Write(reply, RequestCode.GetFeatures, MessageFlags.Reply, VirtioNetFeatures.Offered));
        rig.Host.Pump(1);
        Reply(right, MessageWriter.Write(reply, RequestCode.GetProtocolFeatures, MessageFlags.Reply, serverProtocol));
        rig.Host.Pump(1);
        Reply(right, MessageWriter.Write(reply, RequestCode.GetQueueNum, MessageFlags.Reply, serverPairs));
        rig.Host.Pump(1);
        return right;
    }

    private static void Reply(Channel channel, ReadOnlySpan<byte> bytes) => Assert.True(channel.TrySend(bytes, [], 0));
}
