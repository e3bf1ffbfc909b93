// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

public sealed class HappyPathTests
{
    [Fact]
    public void An_origin_with_device_info_gets_its_device_before_its_driver_is_up()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendInfo();

        FakeDevice device = Assert.Single(rig.Bridge.Devices);
        Assert.Equal(1, device.Slot);
        Assert.Equal("srv.1", device.Id);
        Assert.Equal(Rig.SlotSize, device.Plan.WindowSize);
        Assert.Equal(2, device.Plan.Rings);
        Assert.Equal(NetConfigAt.Size(2), device.Plan.ConfigSize);
        Assert.False(device.Link);
        Assert.Equal([0x52, 0x54, 0, 0, 0, 1], device.Config[NetConfigAt.OriginMac..(NetConfigAt.OriginMac + 6)]);
        Assert.Equal([0x56, 0x50, 0x8a, 0x14, 0x27, 0x76], device.Config[NetConfigAt.Mac..(NetConfigAt.Mac + 6)]);
        Assert.Empty(rig.Log.Warnings);
    }

    [Fact]
    public void The_link_goes_up_when_both_rings_are_complete_and_not_before()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendInfo();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
        origin.SendMemory();
        origin.SendRing(0);
        origin.SendRing(1);
        origin.SendState(RequestCode.SetVringEnable, 0, 1);
        Assert.False(device.Link);
        Assert.Equal(0UL, device.Device.MappedBytes);

        origin.SendState(RequestCode.SetVringEnable, 1, 1);
        Assert.True(device.Link);
        Assert.Equal(FrontEnd.MemorySize, device.Device.MappedBytes);
        Assert.Equal(FrontEnd.ShownFeatures, device.Read64(GuestAbi.Config.Features));
        for (int i = 0; i < 2; i++)
        {
            int ring = NetConfigAt.Rings + (i * GuestAbi.Ring.Size);
            ulong start = FrontEnd.RingAddress((uint)i) - FrontEnd.UserBase;
            Assert.Equal(start, device.Read64(ring + GuestAbi.Ring.Desc));
            Assert.Equal(start + 0x2000, device.Read64(ring + GuestAbi.Ring.Avail));
            Assert.Equal(start + 0x3000, device.Read64(ring + GuestAbi.Ring.Used));
            Assert.Equal(FrontEnd.RingSize, device.Read32(ring + GuestAbi.Ring.Entries));
            Assert.Equal(GuestAbi.RingEnabled, device.Read32(ring + GuestAbi.Ring.Flags));
            Assert.True(device.Bound(i, RingEndpoint.Kick) >= 0);
            Assert.True(device.Bound(i, RingEndpoint.Call) >= 0);
            Assert.Equal(1, device.Raised[i]);
        }
    }

    [Fact]
    public void The_window_shows_the_origins_memory()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        origin.Poke(0x5000, 0xbeef);
        short seen = System.Runtime.InteropServices.Marshal.ReadInt16(rig.Bridge.Last.Plan.Window + 0x5000);
        Assert.Equal(unchecked((short)0xbeef), seen);
    }

    /// <summary>Stock QEMU: ENABLE several times before anything else, CALL and ERR early, no device info.</summary>
    [Fact]
    public void The_message_order_of_a_stock_qemu_front_end_works()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        _ = origin.Ask(RequestCode.GetFeatures);
        _ = origin.Ask(RequestCode.GetProtocolFeatures);
        origin.Send(RequestCode.SetProtocolFeatures, ProtocolFeatures.MultiQueue | ProtocolFeatures.ReplyAck | ProtocolFeatures.NetMtu);
        Assert.Equal(32UL, origin.Ask(RequestCode.GetQueueNum));
        origin.Send(RequestCode.SetOwner);
        _ = origin.Ask(RequestCode.GetFeatures);
        for (uint i = 0; i < 2; i++)
        {
            origin.SendFile(RequestCode.SetVringCall, i, origin.NewEvent());
            origin.SendFile(RequestCode.SetVringError, i, origin.NewEvent());
        }

        for (int i = 0; i < 4; i++)
        {
            origin.SendState(RequestCode.SetVringEnable, 0, 1);
            origin.SendState(RequestCode.SetVringEnable, 1, 1);
        }

        Assert.Empty(rig.Bridge.Devices);
        origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
        origin.SendMemory();
        Assert.Single(rig.Bridge.Devices);
        for (uint i = 0; i < 2; i++)
        {
            origin.SendState(RequestCode.SetVringNum, i, FrontEnd.RingSize);
            origin.SendState(RequestCode.SetVringBase, i, 0);
            origin.SendAddress(i, FrontEnd.RingAddress(i));
            origin.SendFile(RequestCode.SetVringKick, i, origin.NewEvent());
        }

        Assert.True(rig.Bridge.Last.Link);
        origin.SendFile(RequestCode.SetVringCall, 0, origin.NewEvent());
        origin.SendFile(RequestCode.SetVringCall, 1, origin.NewEvent());
        Assert.True(rig.Bridge.Last.Link);
        Assert.Empty(rig.Log.Warnings);
    }

    /// <summary>DPDK virtio_user: CALL before FEATURES, STATUS used, ENABLE after KICK.</summary>
    [Fact]
    public void The_message_order_of_dpdk_virtio_user_works()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Send(RequestCode.SetOwner);
        _ = origin.Ask(RequestCode.GetFeatures);
        _ = origin.Ask(RequestCode.GetProtocolFeatures);
        origin.Send(RequestCode.SetProtocolFeatures, ProtocolFeatures.MultiQueue | ProtocolFeatures.ReplyAck | ProtocolFeatures.Status);
        origin.SendFile(RequestCode.SetVringCall, 0, origin.NewEvent());
        origin.SendFile(RequestCode.SetVringCall, 1, origin.NewEvent());
        origin.Send(RequestCode.SetStatus, 0);
        origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
        origin.Send(RequestCode.SetStatus, 11);
        Assert.Equal(11UL, origin.Ask(RequestCode.GetStatus));
        origin.SendMemory();
        for (uint i = 0; i < 2; i++)
        {
            origin.SendState(RequestCode.SetVringNum, i, FrontEnd.RingSize);
            origin.SendState(RequestCode.SetVringBase, i, 0);
            origin.SendAddress(i, FrontEnd.RingAddress(i));
            origin.SendFile(RequestCode.SetVringKick, i, origin.NewEvent());
        }

        origin.SendState(RequestCode.SetVringEnable, 0, 1);
        origin.SendState(RequestCode.SetVringEnable, 1, 1);
        origin.Send(RequestCode.SetStatus, 15);
        FakeDevice device = rig.Bridge.Last;
        Assert.True(device.Link);
        Assert.True(device.Bound(0, RingEndpoint.Call) >= 0);

        origin.SendState(RequestCode.SetVringEnable, 0, 0);
        Assert.False(device.Link);
        origin.SendState(RequestCode.SetVringEnable, 1, 0);
        Assert.Equal(0U, origin.AskBase(0).Value);
        Assert.Equal(0U, origin.AskBase(1).Value);
        Assert.Empty(rig.Log.Warnings);
    }

    [Fact]
    public void Without_protocol_features_the_rings_need_no_enable()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Send(RequestCode.SetOwner);
        origin.Send(RequestCode.SetFeatures, VirtioFeatures.Version1);
        origin.SendMemory();
        origin.SendRing(0);
        Assert.False(rig.Bridge.Last.Link);
        origin.SendRing(1);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void Need_reply_is_answered_when_negotiated()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.Send(RequestCode.SetOwner, MessageFlags.NeedReply, []);
        Assert.Equal(new byte[8], origin.TryReceive(RequestCode.SetOwner));
        byte[] payload = new byte[8];
        payload[0] = 1;
        origin.Send(RequestCode.NetSetMtu, MessageFlags.NeedReply, payload);
        Assert.Equal([1, 0, 0, 0, 0, 0, 0, 0], origin.TryReceive(RequestCode.NetSetMtu));
        Assert.True(origin.IsClosed);
    }
}
