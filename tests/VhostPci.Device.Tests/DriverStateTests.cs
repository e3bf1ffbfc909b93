// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using VhostPci.Device.Clients;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests;

/// <summary>What the origin's driver switches while it runs, from its device to the mirror's configuration.</summary>
public sealed class DriverStateTests
{
    private const ulong Offloads = VirtioNetFeatures.GuestOffloads;
    private static readonly byte[] FirstMac = [0x52, 0x54, 0, 0, 0, 1];
    private static readonly byte[] OtherMac = [0x52, 0x54, 0, 0, 0, 9];

    [Fact]
    public void Offloads_that_are_switched_off_leave_the_features_and_nothing_else()
    {
        using Running run = new();
        uint epoch = run.Device.Epoch;
        int changes = run.Device.ConfigChanges;
        SendState(run.Origin, 0, FirstMac);
        Assert.Equal((epoch + 1, changes + 1), (run.Device.Epoch, run.Device.ConfigChanges));
        Assert.Equal(FrontEnd.ShownFeatures, run.Features);
        Assert.True(run.Device.Link);
        Assert.Equal(FrontEnd.MemorySize, run.Device.Device.MappedBytes);
        Assert.Equal(FrontEnd.Features, run.Peer.GetProperty("features").GetUInt64());

        run.Device.Acknowledge(run.Device.Epoch);
        SendState(run.Origin, Offloads, FirstMac);
        Assert.Equal(FrontEnd.ShownFeatures | Offloads, run.Features);
        Assert.Empty(run.Rig.Log.Warnings);
    }

    [Fact]
    public void Segmentation_without_checksums_is_not_shown()
    {
        using Running run = new();
        SendState(run.Origin, VirtioNetFeatures.GuestTso4, FirstMac);
        Assert.Equal(FrontEnd.ShownFeatures, run.Features);
    }

    [Fact]
    public void An_address_is_shown_and_the_interface_here_keeps_its_own()
    {
        using Running run = new();
        byte[] mine = run.Device.Config[NetConfigAt.Mac..(NetConfigAt.Mac + 6)];
        SendState(run.Origin, Offloads, OtherMac);
        Assert.Equal(OtherMac, run.OriginMac);
        Assert.Equal(mine, run.Device.Config[NetConfigAt.Mac..(NetConfigAt.Mac + 6)]);
        Assert.Equal("52:54:00:00:00:09", run.Peer.GetProperty("origin-mac").GetString());

        // Other news does not bring the first one back.
        run.Device.Acknowledge(run.Device.Epoch);
        run.Origin.Send(RequestCode.NetSetMtu, 1400);
        Assert.Equal(OtherMac, run.OriginMac);
        run.Device.Acknowledge(run.Device.Epoch);
        SendState(run.Origin, Offloads, new byte[6]);
        Assert.Equal(new byte[6], run.OriginMac);
    }

    [Fact]
    public void What_is_no_change_is_no_step()
    {
        using Running run = new();
        uint epoch = run.Device.Epoch;
        SendState(run.Origin, Offloads, FirstMac);
        Assert.Equal(epoch, run.Device.Epoch);
    }

    [Fact]
    public void Before_the_rings_run_it_is_in_their_first_step()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendInfo();
        FakeDevice device = rig.Bridge.Last;
        origin.Send(RequestCode.SetFeatures, FrontEnd.Features | Offloads);
        SendState(origin, VirtioNetFeatures.GuestChecksum, FirstMac);
        origin.SendMemory();
        origin.SendPair(0);
        Assert.True(device.Link);
        Assert.Equal(FrontEnd.ShownFeatures | VirtioNetFeatures.GuestChecksum, device.Read64(GuestAbi.Config.Features));

        // Another driver begins with all of them.
        origin.AskBase(0);
        origin.AskBase(1);
        origin.Send(RequestCode.SetFeatures, FrontEnd.Features | Offloads);
        origin.SendPair(0);
        Assert.Equal(FrontEnd.ShownFeatures | Offloads, device.Read64(GuestAbi.Config.Features));
    }

    [Theory]
    [InlineData(1UL << 0, 0x52, 0, "0x1 in a driver state is no offload of a guest's")]
    [InlineData(VirtioNetFeatures.GuestTso6, 0x52, 0, "driver state with guest_tso6 on, which the driver has not acknowledged")]
    [InlineData(0UL, 0x53, 0, "driver state with 53:54:00:00:00:09, which is a group's address")]
    [InlineData(0UL, 0x52, 1, "driver state with 0x1 where nothing is defined")]
    public void A_state_that_cannot_be_changes_nothing(ulong offloads, byte firstOfMac, byte reserved, string reason)
    {
        using Running run = new(offloads: Offloads & ~VirtioNetFeatures.GuestTso6);
        byte[] before = run.Device.Config;
        run.Device.Events.Clear();
        run.Origin.Send(RequestCode.SetDriverState, [.. BitConverter.GetBytes(offloads), firstOfMac, 0x54, 0, 0, 0, 9, reserved, 0]);
        Assert.True(run.Origin.IsClosed);
        Assert.Contains(reason, Assert.Single(run.Rig.Log.Warnings), StringComparison.Ordinal);

        // All that follows is the end of the connection: a withdrawal.
        Assert.Equal(before[NetConfigAt.OriginMac..(NetConfigAt.OriginMac + 6)], run.OriginMac);
        Assert.DoesNotContain(run.Device.Events, line => line.StartsWith("config link=1", StringComparison.Ordinal));
    }

    [Fact]
    public void An_address_of_the_mirrors_own_interface_is_refused()
    {
        using Running run = new();
        SendState(run.Origin, Offloads, run.Device.Config[NetConfigAt.Mac..(NetConfigAt.Mac + 6)]);
        Assert.True(run.Origin.IsClosed);
        Assert.Contains("is the address of an interface of the mirror", Assert.Single(run.Rig.Log.Warnings), StringComparison.Ordinal);
        Assert.Equal(FirstMac, run.OriginMac);
    }

    [Theory]
    [InlineData(ProtocolFeatures.Offered & ~ProtocolFeatures.DriverState, true, "driver state without its protocol feature")]
    [InlineData(ProtocolFeatures.Offered, false, "driver state before features")]
    public void A_state_at_the_wrong_time(ulong protocolFeatures, bool features, string reason)
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate(protocolFeatures);
        if (features)
        {
            origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
        }

        SendState(origin, 0, FirstMac);
        Assert.True(origin.IsClosed);
        Assert.Contains(reason, Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void However_fast_an_origin_changes_its_mind_a_driver_has_one_step_to_read()
    {
        using Running run = new();
        uint epoch = run.Device.Epoch;
        int changes = run.Device.ConfigChanges;
        for (byte i = 0; i < 100; i++)
        {
            SendState(run.Origin, i % 2 == 0 ? 0 : Offloads, [0x52, 0x54, 0, 0, 1, i]);
            run.Origin.Send(RequestCode.SendRarp, [0x52, 0x54, 0, 0, 2, i, 0, 0]);
            run.Origin.Send(RequestCode.NetSetMtu, 1000UL + i);
        }

        Assert.Equal((epoch + 1, changes + 1), (run.Device.Epoch, run.Device.ConfigChanges));
        Assert.Equal(FrontEnd.ShownFeatures, run.Features);
        Assert.Equal(0U, run.Device.Read32(NetConfigAt.Announce));

        // The last of all when it has read the first.
        run.Device.Acknowledge(run.Device.Epoch);
        Assert.Equal((epoch + 2, changes + 2), (run.Device.Epoch, run.Device.ConfigChanges));
        Assert.Equal(FrontEnd.ShownFeatures | Offloads, run.Features);
        Assert.Equal([0x52, 0x54, 0, 0, 1, 99], run.OriginMac);
        Assert.Equal(100U, run.Device.Read32(NetConfigAt.Announce));
        Assert.Equal(1099, BitConverter.ToUInt16(run.Device.Config, NetConfigAt.Mtu));
        run.Device.Acknowledge(run.Device.Epoch);
        Assert.Equal(epoch + 2, run.Device.Epoch);
    }

    [Fact]
    public void A_withdrawal_does_not_wait_and_takes_the_news_along()
    {
        using Running run = new();
        SendState(run.Origin, 0, FirstMac);
        uint epoch = run.Device.Epoch;
        SendState(run.Origin, 0, OtherMac);
        Assert.Equal(FirstMac, run.OriginMac);
        run.Origin.AskBase(0);
        Assert.False(run.Device.Link);
        Assert.Equal((epoch + 1, 0UL), (run.Device.Epoch, run.Features));
        Assert.Equal(OtherMac, run.OriginMac);
    }

    [Fact]
    public void Nobody_waits_for_a_driver_that_is_reset()
    {
        using Running run = new();
        SendState(run.Origin, 0, FirstMac);
        SendState(run.Origin, 0, OtherMac);
        run.Device.ResetDriver();
        Assert.Equal(OtherMac, run.OriginMac);
        SendState(run.Origin, 0, FirstMac);
        Assert.Equal(FirstMac, run.OriginMac);
    }

    [Fact]
    public void The_client_tells_what_is_new_and_not_before_the_features()
    {
        using var rig = new Rig();
        (VhostPciClient client, _, Channel server) = ClientTests.Handshake(rig);
        _ = Drain(server);
        MacAddress mac = MacAddress.Read(OtherMac);
        Assert.Equal(0, client.SetDriverState(0, mac));
        Assert.Empty(Drain(server));

        Assert.Equal(0, client.SetFeatures(VirtioFeatures.Version1 | Offloads));
        _ = Drain(server);
        Assert.Equal(0, client.SetDriverState(VirtioNetFeatures.GuestChecksum | (1UL << 40), mac));
        AssertState(server, VirtioNetFeatures.GuestChecksum, OtherMac);
        Assert.Equal(0, client.SetDriverState(VirtioNetFeatures.GuestChecksum, mac));
        Assert.Empty(Drain(server));

        // The next driver starts with all of them, and that needs no words.
        Assert.Equal(0, client.SetFeatures(VirtioFeatures.Version1 | Offloads));
        _ = Drain(server);
        Assert.Equal(0, client.SetDriverState(Offloads, mac));
        Assert.Empty(Drain(server));

        // An address that its driver must not have is not passed on, nor an offload that was never acknowledged.
        Assert.Equal(0, client.SetFeatures(VirtioFeatures.Version1 | VirtioNetFeatures.GuestChecksum));
        _ = Drain(server);
        MacAddress group = MacAddress.Read([1, 0, 0x5e, 0, 0, 1]);
        Assert.Equal(0, client.SetDriverState(Offloads, group));
        AssertState(server, VirtioNetFeatures.GuestChecksum, new byte[6]);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Fact]
    public void The_client_tells_it_again_after_a_reconnect()
    {
        using var rig = new Rig();
        (VhostPciClient client, _, Channel server) = ClientTests.Handshake(rig);
        MacAddress mac = MacAddress.Read(OtherMac);
        Assert.Equal(0, client.SetFeatures(VirtioFeatures.Version1 | Offloads));
        Assert.Equal(0, client.SetDriverState(0, mac));
        client.Disconnected();
        server.Dispose();

        server = ClientTests.Handshake(rig, client);
        _ = Drain(server);
        Assert.Equal(0, client.SetFeatures(VirtioFeatures.Version1 | Offloads));
        _ = Drain(server);
        Assert.Equal(0, client.SetDriverState(0, mac));
        AssertState(server, 0, OtherMac);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Fact]
    public void A_server_that_does_not_know_it_is_not_told()
    {
        using var rig = new Rig();
        (VhostPciClient client, _, Channel server) = ClientTests.Handshake(rig, serverProtocol: ProtocolFeatures.Offered & ~ProtocolFeatures.DriverState);
        Assert.Equal(0, client.SetFeatures(VirtioFeatures.Version1 | Offloads));
        _ = Drain(server);
        Assert.Equal(0, client.SetDriverState(0, default));
        Assert.Empty(Drain(server));
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Fact]
    public void An_announcement_is_for_the_address_of_now()
    {
        using var rig = new Rig();
        (VhostPciClient client, _, Channel server) = ClientTests.Handshake(rig);
        MacAddress mac = MacAddress.Read(OtherMac);
        Assert.Equal(0, client.SetDriverState(0, mac));
        _ = Drain(server);

        // The device's own address is zero in this test, so any other is somebody else's.
        client.SendFrame(Rarp(new byte[6]));
        Assert.Equal([.. OtherMac, 0, 0], Drain(server)[MessageHeader.Size..]);
        client.SendFrame(Rarp(FirstMac));
        Assert.Equal([.. FirstMac, 0, 0], Drain(server)[MessageHeader.Size..]);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    private static void SendState(FrontEnd origin, ulong offloads, byte[] mac)
        => origin.Send(RequestCode.SetDriverState, [.. BitConverter.GetBytes(offloads), .. mac, 0, 0]);

    private static byte[] Rarp(byte[] sender)
    {
        byte[] frame = new byte[60];
        sender.CopyTo(frame, 6);
        (frame[12], frame[13]) = (0x80, 0x35);
        return frame;
    }

    private static void AssertState(Channel server, ulong offloads, byte[] mac)
    {
        byte[] sent = Drain(server);
        Assert.Equal((uint)RequestCode.SetDriverState, BitConverter.ToUInt32(sent));
        Assert.Equal(Convert.ToHexString([.. BitConverter.GetBytes(offloads), .. mac, 0, 0]), Convert.ToHexString(sent[MessageHeader.Size..]));
    }

    private static byte[] Drain(Channel server)
    {
        byte[] buffer = new byte[4096];
        return server.Receive(buffer, [], out int count) == ReceiveStatus.Data ? buffer[..count] : [];
    }

    private sealed class Running : IDisposable
    {
        internal Running(ulong offloads = Offloads)
        {
            Origin = Rig.Connect();
            Origin.Negotiate();
            Origin.SendInfo();
            Device = Rig.Bridge.Last;
            Device.StartDriver();
            Origin.Send(RequestCode.SetFeatures, FrontEnd.Features | offloads);
            Origin.SendMemory();
            Origin.SendPair(0);
            Device.Acknowledge(Device.Epoch);
            Assert.Equal(FrontEnd.ShownFeatures | offloads, Features);
        }

        internal Rig Rig { get; } = new();

        internal FrontEnd Origin { get; }

        internal FakeDevice Device { get; }

        internal ulong Features => Device.Read64(GuestAbi.Config.Features);

        internal byte[] OriginMac => Device.Config[NetConfigAt.OriginMac..(NetConfigAt.OriginMac + 6)];

        internal JsonElement Peer => Assert.Single(Rig.Peers());

        public void Dispose()
        {
            Origin.Dispose();
            Rig.Dispose();
        }
    }
}
