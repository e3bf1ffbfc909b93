// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Clients;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;
using VhostPci.Testing;

namespace VhostPci.Device.Tests;

/// <summary>A client whose server, chardev or device goes at a bad moment.</summary>
public sealed class ClientTroubleTests
{
    private const ulong Small = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures;

    [Fact]
    public void A_connection_that_comes_after_the_devices_end_is_closed()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic) = Create(rig);
        rig.Library.Destroy(client);
        (Channel left, Channel right) = SocketPair.Create();
        client.Connected(left);
        Assert.Equal(ReceiveStatus.Closed, right.Receive(new byte[1], new List<IPeerFile>(), out _));
        Assert.False(nic.Link);
        right.Dispose();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void A_driver_that_chooses_more_than_the_server_has_is_told()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = Handshake(rig, Small);
        Assert.True(nic.Link);
        Assert.Equal(-22, client.SetFeatures(VirtioFeatures.Version1 | VirtioNetFeatures.HostTso4));
        Assert.Contains("the server lacks features that the driver uses: host_tso4", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.Equal(0, client.SetFeatures(VirtioFeatures.Version1));
        server.Dispose();
    }

    [Fact]
    public void A_server_that_goes_while_a_ring_is_set_up_is_lost_once()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = Handshake(rig, Small);
        server.Dispose();
        Assert.Equal(-32, client.SetVringNum(0, 256));
        Assert.Equal(-107, client.SetVringBase(0, 0));
        Assert.Equal(-107, client.Stop(0));
        Assert.Equal(1, nic.Disconnects);
        rig.Host.Advance(1);
        Assert.False(nic.Link);
    }

    [Fact]
    public void A_server_that_goes_before_a_ring_is_stopped_is_lost()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = Handshake(rig, Small);
        server.Dispose();
        Assert.Equal(-32, client.Stop(0));
        Assert.Equal(1, nic.Disconnects);
    }

    [Theory]
    [InlineData(RequestCode.GetFeatures)]
    [InlineData(RequestCode.GetProtocolFeatures)]
    [InlineData(RequestCode.GetQueueNum)]
    public void A_server_that_goes_within_the_handshake_brings_no_link(RequestCode last)
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic) = Create(rig);
        (Channel left, Channel right) = SocketPair.Create();
        client.Connected(left);
        foreach (RequestCode request in (RequestCode[])[RequestCode.GetFeatures, RequestCode.GetProtocolFeatures, RequestCode.GetQueueNum])
        {
            Reply(right, request, request == RequestCode.GetFeatures ? VirtioNetFeatures.Offered : request == RequestCode.GetQueueNum ? 1 : ProtocolFeatures.Offered);
            if (request == last)
            {
                // Gone before the client has heard it.
                right.Dispose();
                rig.Host.Pump(1);
                break;
            }

            rig.Host.Pump(1);
        }

        Assert.False(nic.Link);
        Assert.Equal(1, nic.Disconnects);
        Assert.Contains("is gone or does not read", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        rig.Library.Destroy(client);
        rig.AssertNothingLeft();
    }

    private static (VhostPciClient Client, FakeNic Nic) Create(Rig rig)
    {
        var nic = new FakeNic();
        return (rig.Library.CreateClient(nic, new ClientConfig("nic", new DeviceInfo(VirtioDeviceId.Net, 1, Guid.Empty, default, 0, FrontEnd.MemorySize, "nic"))), nic);
    }

    private static (VhostPciClient Client, FakeNic Nic, Channel Server) Handshake(Rig rig, ulong features)
    {
        (VhostPciClient client, FakeNic nic) = Create(rig);
        _ = client.SetFeatures(VirtioFeatures.Version1);
        (Channel left, Channel right) = SocketPair.Create();
        client.Connected(left);
        Reply(right, RequestCode.GetFeatures, features);
        rig.Host.Pump(1);
        Reply(right, RequestCode.GetProtocolFeatures, ProtocolFeatures.Offered);
        rig.Host.Pump(1);
        Reply(right, RequestCode.GetQueueNum, 1);
        rig.Host.Pump(1);
        return (client, nic, right);
    }

    private static void Reply(Channel channel, RequestCode request, ulong value)
    {
        byte[] reply = new byte[MessageHeader.Size + U64Payload.Size];
        Assert.True(channel.TrySend(MessageWriter.Write(reply, request, MessageFlags.Reply, value), [], 0));
    }
}
