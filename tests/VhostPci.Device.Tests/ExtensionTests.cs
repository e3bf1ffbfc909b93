// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using VhostPci.Device.Clients;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests;

/// <summary>What the mirror's driver and the origin's device tell each other: link, accepted features, announcements.</summary>
public sealed class ExtensionTests
{
    private const ulong Standard = ProtocolFeatures.Offered & ~ProtocolFeatures.VhostPci;
    private const ulong WithoutEventIndex = ulong.MaxValue & ~VirtioFeatures.RingEventIndex;

    [Fact]
    public void An_announcement_is_another_step_of_the_configuration()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        device.Acknowledge(device.Epoch);
        uint epoch = device.Epoch;
        int changes = device.ConfigChanges;
        SendRarp(origin, [0x52, 0x54, 0, 0, 0, 9]);
        Assert.Equal(1U, device.Read32(NetConfigAt.Announce));
        Assert.Equal([0x52, 0x54, 0, 0, 0, 9], device.Config[NetConfigAt.OriginMac..(NetConfigAt.OriginMac + 6)]);
        Assert.Equal([0x56, 0x50, 0x8a, 0x14, 0x27, 0x76], device.Config[NetConfigAt.Mac..(NetConfigAt.Mac + 6)]);
        Assert.Equal((epoch + 1, changes + 1), (device.Epoch, device.ConfigChanges));
        Assert.True(device.Link);
        device.Acknowledge(device.Epoch);
        SendRarp(origin, [0x52, 0x54, 0, 0, 0, 9]);
        Assert.Equal(2U, device.Read32(NetConfigAt.Announce));
    }

    [Theory]
    [InlineData(new byte[] { 1, 0, 0x5e, 0, 0, 1 }, ProtocolFeatures.Offered, "SEND_RARP for 01:00:5e:00:00:01")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0 }, ProtocolFeatures.Offered, "SEND_RARP for 00:00:00:00:00:00")]
    [InlineData(new byte[] { 2, 0, 0, 0, 0, 1 }, ProtocolFeatures.Offered & ~ProtocolFeatures.Rarp, "SEND_RARP without its protocol feature")]
    public void An_announcement_that_cannot_be(byte[] mac, ulong features, string reason)
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate(features);
        SendRarp(origin, mac);
        Assert.True(origin.IsClosed);
        Assert.Contains(reason, Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void An_announcement_before_the_device_does_no_harm()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        SendRarp(origin, [2, 0, 0, 0, 0, 1]);
        Assert.False(origin.IsClosed);
    }

    [Fact]
    public void The_origin_hears_when_the_drivers_interface_goes_down_and_up()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        Assert.Null(origin.TryReceiveRequest());
        device.WriteDriver(driver: GuestAbi.DriverDown);
        Assert.Equal((BackEndRequest.SetLink, 0UL), origin.TryReceiveRequest());
        device.WriteDriver(driver: GuestAbi.DriverDown);
        Assert.Null(origin.TryReceiveRequest());
        Assert.True(device.Link);
        Assert.False(Peer(rig).GetProperty("driver-link").GetBoolean());
        device.WriteDriver();
        Assert.Equal((BackEndRequest.SetLink, 1UL), origin.TryReceiveRequest());
    }

    [Fact]
    public void What_a_driver_said_stands_until_the_next_one_is_ready()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        device.WriteDriver(WithoutEventIndex, GuestAbi.DriverDown);
        Assert.Equal(BackEndRequest.AcceptFeatures, origin.TryReceiveRequest()?.Request);
        Assert.Equal((BackEndRequest.SetLink, 0UL), origin.TryReceiveRequest());

        // Loaded again: the same, before DRIVER_OK.
        device.ResetDriver();
        Assert.Equal(0UL, device.Read64(GuestAbi.Config.Accept));
        Assert.Equal(0U, device.Read32(GuestAbi.Config.Driver));
        Assert.Null(origin.TryReceiveRequest());
        device.WriteDriver(WithoutEventIndex, GuestAbi.DriverDown);
        device.StartDriver();
        Assert.Null(origin.TryReceiveRequest());

        // One that knows nothing of it.
        device.ResetDriver();
        device.StartDriver();
        Assert.Equal((BackEndRequest.AcceptFeatures, VirtioNetFeatures.Offered), origin.TryReceiveRequest());
        Assert.Equal((BackEndRequest.SetLink, 1UL), origin.TryReceiveRequest());
    }

    [Fact]
    public void Fewer_features_are_negotiated_again()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        Assert.True(device.Link);
        device.WriteDriver(WithoutEventIndex);
        Assert.False(device.Link);
        Assert.Equal(0UL, device.Device.MappedBytes);
        Assert.Equal((BackEndRequest.AcceptFeatures, VirtioNetFeatures.Offered & WithoutEventIndex), origin.TryReceiveRequest());
        Assert.Equal("waiting-for-features", Peer(rig).GetProperty("state").GetString());
        device.Acknowledge(device.Epoch);
        Assert.False(device.Link);

        origin.AskBase(0);
        origin.AskBase(1);
        origin.Send(RequestCode.SetFeatures, FrontEnd.Features & WithoutEventIndex);
        origin.SendPair(0);
        Assert.True(device.Link);
        Assert.Equal(FrontEnd.ShownFeatures & WithoutEventIndex, device.Read64(GuestAbi.Config.Features));
        Assert.Equal("running", Peer(rig).GetProperty("state").GetString());
        Assert.Empty(rig.Log.Warnings);
    }

    [Fact]
    public void An_origin_that_comes_later_is_offered_what_was_accepted()
    {
        using var rig = new Rig();
        using FrontEnd first = rig.Connect();
        first.Start();
        rig.Bridge.Last.StartDriver();
        rig.Bridge.Last.WriteDriver(~VirtioNetFeatures.Checksum);
        using FrontEnd second = rig.Connect();
        const ulong gone = VirtioNetFeatures.Checksum | VirtioNetFeatures.HostTso4 | VirtioNetFeatures.HostTso6;
        Assert.Equal(VirtioNetFeatures.Offered & ~gone, second.Ask(RequestCode.GetFeatures));
        second.Send(RequestCode.SetProtocolFeatures, ProtocolFeatures.Offered);
        second.SendInfo(name: "second", lastOfMac: 2);

        // Its own device has another driver, which has said nothing yet.
        Assert.Equal((BackEndRequest.AcceptFeatures, VirtioNetFeatures.Offered), second.TryReceiveRequest());
    }

    [Fact]
    public void A_front_end_without_the_extension_is_refused_and_offered_less_the_next_time()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate(Standard);
        origin.Run();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        Assert.True(device.Link);
        device.WriteDriver(driver: GuestAbi.DriverDown);
        Assert.Null(origin.TryReceiveRequest());
        device.WriteDriver(WithoutEventIndex);
        Assert.True(origin.IsClosed);
        Assert.Contains("does not accept event_idx", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.False(device.Link);

        using FrontEnd again = rig.Connect();
        Assert.Equal(VirtioNetFeatures.Offered & WithoutEventIndex, again.Ask(RequestCode.GetFeatures));
    }

    [Fact]
    public void A_front_end_without_the_extension_that_does_not_listen_is_refused_at_the_start()
    {
        using var rig = new Rig();
        FakeDevice device = rig.AddStatic(new Devices.StaticConfig { Id = "vpn0" });
        device.StartDriver();
        device.WriteDriver(WithoutEventIndex);
        using FrontEnd origin = rig.Connect();
        origin.Send(RequestCode.SetProtocolFeatures, Standard);
        origin.Run();
        Assert.True(origin.IsClosed);
        Assert.Contains("event_idx", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.False(device.Link);
    }

    [Fact]
    public void Half_of_the_accepted_features_are_none()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        device.WriteDriver(uint.MaxValue & WithoutEventIndex);
        Assert.True(device.Link);
        Assert.Null(origin.TryReceiveRequest());
        device.WriteDriver(WithoutEventIndex);
        Assert.False(device.Link);
    }

    [Theory]
    [InlineData(ProtocolFeatures.Offered)]
    [InlineData(Standard)]
    public void The_mirrors_user_switches_the_link_off_and_on(ulong features)
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate(features);
        origin.Run();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        device.Device.SetLink(true);
        Assert.True(device.Link);
        device.Device.SetLink(false);
        Assert.False(device.Link);
        Assert.Equal(0UL, device.Device.MappedBytes);
        device.Acknowledge(device.Epoch);
        Assert.False(device.Link);
        device.Device.SetLink(true);
        Assert.True(device.Link);
        bool told = features == ProtocolFeatures.Offered;
        Assert.Equal(told ? (BackEndRequest.SetLink, 0UL) : null, origin.TryReceiveRequest());
        Assert.Equal(told ? (BackEndRequest.SetLink, 1UL) : null, origin.TryReceiveRequest());
    }

    [Fact]
    public void The_client_follows_the_mirrors_link()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = ClientTests.Handshake(rig);
        Tell(rig, server, BackEndRequest.SetLink, 0);
        Assert.False(nic.Link);
        Tell(rig, server, BackEndRequest.SetLink, 1);
        Assert.True(nic.Link);
        Assert.Equal(["up", "down", "up"], nic.Events);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Fact]
    public void The_client_makes_its_driver_negotiate_again()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = ClientTests.Handshake(rig);
        nic.DriverFeatures = FrontEnd.Features | (1UL << 40);
        Tell(rig, server, BackEndRequest.AcceptFeatures, VirtioNetFeatures.Offered & WithoutEventIndex);
        Assert.Equal(["up", "down", "reset"], nic.Events);
        Assert.Equal(client.OfferedFeatures & WithoutEventIndex, nic.Offered);
        Assert.Contains("does not accept event_idx", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        client.DriverNegotiated();
        Assert.False(nic.Link);
        nic.DriverFeatures &= WithoutEventIndex;
        client.DriverNegotiated();
        Assert.True(nic.Link);
        client.DriverNegotiated();

        // More again: offered, but nobody has to use it.
        Tell(rig, server, BackEndRequest.AcceptFeatures, VirtioNetFeatures.Offered);
        Assert.Equal(client.OfferedFeatures, nic.Offered);
        Assert.Equal(["up", "down", "reset", "up"], nic.Events);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Fact]
    public void The_client_takes_requests_late_while_a_ring_is_being_stopped()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = ClientTests.Handshake(rig);
        Send(server, BackEndRequest.SetLink, 0);
        Send(server, BackEndRequest.AcceptFeatures, VirtioNetFeatures.Offered & WithoutEventIndex);
        byte[] reply = new byte[MessageHeader.Size + VringState.Size];
        byte[] payload = new byte[VringState.Size];
        new VringState(1, 77).Write(payload);
        Assert.True(server.TrySend(MessageWriter.Write(reply, RequestCode.GetVringBase, MessageFlags.Reply, payload), [], 0));
        Assert.Equal(77, client.Stop(1));
        Assert.True(nic.Link);
        rig.Host.Advance(10);
        Assert.False(nic.Link);
        Assert.Equal(client.OfferedFeatures & WithoutEventIndex, nic.Offered);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Fact]
    public void The_client_passes_announcements_on_and_nothing_else()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic _, Channel server) = ClientTests.Handshake(rig);
        Drain(server);
        byte[] frame = new byte[60];
        client.SendFrame(frame);
        client.SendFrame([]);
        Assert.Empty(Drain(server));
        new byte[] { 0x52, 0x54, 0, 0, 0, 9 }.CopyTo(frame, 6);
        frame[12] = 0x80;
        frame[13] = 0x35;
        client.SendFrame(frame);
        byte[] sent = Drain(server);
        Assert.Equal((uint)RequestCode.SendRarp, BitConverter.ToUInt32(sent));
        Assert.Equal([0x52, 0x54, 0, 0, 0, 9, 0, 0], sent[MessageHeader.Size..]);
        client.Disconnected();
        client.SendFrame(frame);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Theory]
    [InlineData((uint)RequestCode.GetFeatures, 8)]
    [InlineData((uint)RequestCode.SetDeviceInfo, 8)]
    [InlineData((uint)BackEndRequest.SetLink, 4)]
    public void The_client_takes_no_other_requests(uint request, int size)
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = ClientTests.Handshake(rig);
        byte[] message = new byte[MessageHeader.Size + size];
        new MessageHeader((RequestCode)request, MessageFlags.Version1, (uint)size).Write(message);
        Assert.True(server.TrySend(message, [], 0));
        rig.Host.Pump();
        Assert.Equal(1, nic.Disconnects);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Fact]
    public void A_server_may_not_take_requests_of_a_server()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.Send((RequestCode)BackEndRequest.SetLink, 1);
        Assert.True(origin.IsClosed);
    }

    private static void SendRarp(FrontEnd origin, byte[] mac) => origin.Send(RequestCode.SendRarp, [.. mac, 0, 0]);

    private static JsonElement Peer(Rig rig) => Assert.Single(rig.Peers());

    private static void Tell(Rig rig, Channel server, BackEndRequest request, ulong value)
    {
        Send(server, request, value);
        rig.Host.Pump();
    }

    private static void Send(Channel server, BackEndRequest request, ulong value)
    {
        byte[] message = new byte[MessageHeader.Size + U64Payload.Size];
        byte[] payload = new byte[U64Payload.Size];
        new U64Payload(value).Write(payload);
        Assert.True(server.TrySend(MessageWriter.Write(message, (RequestCode)request, MessageFlags.None, payload), [], 0));
    }

    private static byte[] Drain(Channel server)
    {
        byte[] buffer = new byte[4096];
        return server.Receive(buffer, [], out int count) == Ports.ReceiveStatus.Data ? buffer[..count] : [];
    }
}
