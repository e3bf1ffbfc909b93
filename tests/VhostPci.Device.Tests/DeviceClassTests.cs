// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

/// <summary>A second device class needs nothing changed in wire, origin, window, life cycle and server: a toy lives beside net.</summary>
public sealed class DeviceClassTests
{
    private const int PartAt = GuestAbi.Config.Size;

    private static Rig NewRig() => new(connections: 2, classes: [new NetClass(), new ToyClass()]);

    [Fact]
    public void A_toy_goes_from_connect_over_link_up_guest_write_and_withdrawal_to_unplug()
    {
        using Rig rig = NewRig();
        using (FrontEnd origin = rig.Connect())
        {
            Introduce(origin);
            Assert.Equal(new ToyClass().Offered, origin.Ask(RequestCode.GetFeatures));
            origin.Send(RequestCode.SetFeatures, new ToyClass().Offered);
            origin.SendMemory();
            FakeDevice device = rig.Bridge.Last;
            Assert.Equal(2, device.Plan.Rings);
            Assert.Equal(PartAt + 8 + (2 * GuestAbi.Ring.Size), device.Plan.ConfigSize);
            Assert.Equal(ToyClass.Id, BinaryPrimitives.ReadUInt16LittleEndian(device.Config.AsSpan(GuestAbi.Config.DeviceClass)));
            Assert.False(device.Link);

            // Its rings run one by one.
            device.StartDriver();
            Run(origin, 0);
            Assert.True(device.Link);
            Assert.Equal(1U, device.Read32(PartAt + ToyClass.GroupsAt));
            Run(origin, 1);
            Assert.Equal(2U, device.Read32(PartAt + ToyClass.GroupsAt));
            Assert.Equal(FrontEnd.MemorySize, device.Device.MappedBytes);
            Assert.Equal("running", rig.Peers()[0].GetProperty("state").GetString());
            Assert.False(rig.Peers()[0].TryGetProperty("mac", out _));

            // What the guest may write, and what not.
            device.Acknowledge(device.Epoch);
            Write(device, level: 7);
            Assert.Equal(7U, ((ToyDevicePart)device.Device.Part).Level);
            Assert.Equal(7U, device.Read32(PartAt + ToyClass.LevelAt));
            Write(device, level: 101);
            Assert.Equal(7U, device.Read32(PartAt + ToyClass.LevelAt));

            // A ring stops: all is withdrawn, and nothing comes back before the driver has let go.
            origin.AskBase(1);
            Assert.False(device.Link);
            Assert.Equal(0UL, device.Device.MappedBytes);
            Assert.Equal(DeviceState.Awaiting, device.Device.State);
            Assert.Equal("waiting-for-driver", rig.Peers()[0].GetProperty("state").GetString());
            device.Acknowledge(device.Epoch);
            Assert.True(device.Link);
            Assert.Equal(1U, device.Read32(PartAt + ToyClass.GroupsAt));
            Assert.Equal(7U, device.Read32(PartAt + ToyClass.LevelAt));
        }

        Assert.Equal(DeviceState.Leaving, rig.Bridge.Last.Device.State);
        Assert.Equal(1, rig.Bridge.Last.UnplugRequests);
        rig.AssertNothingLeft();
    }

    [Fact]
    public void A_driver_that_accepts_less_is_heard_by_a_toy()
    {
        using Rig rig = NewRig();
        using FrontEnd origin = rig.Connect();
        Introduce(origin);
        origin.Send(RequestCode.SetFeatures, new ToyClass().Offered);
        origin.SendMemory();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        Run(origin, 0);
        device.WriteDriver(accept: VirtioFeatures.Version1);

        Assert.False(device.Link);
        ulong accepted = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures;
        Assert.Equal((BackEndRequest.AcceptFeatures, accepted), origin.TryReceiveRequest());
        Assert.Contains("blink", System.Text.Encoding.UTF8.GetString(rig.Library.ReportText(Rig.Runtime, verbose: true)), StringComparison.Ordinal);
        Assert.Contains("toy's work", System.Text.Encoding.UTF8.GetString(rig.Library.ReportText(Rig.Runtime, verbose: true)), StringComparison.Ordinal);

        // What a toy's driver accepts is nothing to a network device.
        using FrontEnd net = rig.Connect();
        net.Start();
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void Each_class_takes_its_own_requests()
    {
        using Rig rig = NewRig();
        using FrontEnd origin = rig.Connect();
        Introduce(origin);
        origin.Send(RequestCode.NetSetMtu, 1500);

        Assert.True(origin.IsClosed);
        Assert.Contains("unknown request", rig.Log.Warnings[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_class_requires_an_origin_must_have()
    {
        using Rig rig = NewRig();
        using FrontEnd origin = rig.Connect();
        Introduce(origin);
        origin.Send(RequestCode.SetFeatures, ToyClass.Blink);

        Assert.True(origin.IsClosed);
        Assert.Contains("without version_1", rig.Log.Warnings[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(7, false, "virtio device id 7")]
    [InlineData(ToyClass.Id, true, "device info comes before them")]
    public void A_class_that_is_not_known_or_comes_too_late_is_refused(ushort kind, bool late, string reason)
    {
        using Rig rig = NewRig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        if (late)
        {
            origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
        }

        origin.SendInfo(kind: kind);

        Assert.True(origin.IsClosed);
        Assert.Contains(reason, rig.Log.Warnings[^1], StringComparison.Ordinal);
        Assert.Empty(rig.Bridge.Devices);
    }

    private static void Introduce(FrontEnd origin)
    {
        origin.Negotiate();
        origin.SendInfo(pairs: 2, kind: ToyClass.Id);
    }

    private static void Run(FrontEnd origin, uint ring)
    {
        origin.SendRing(ring);
        origin.SendState(RequestCode.SetVringEnable, ring, 1);
    }

    private static void Write(FakeDevice device, uint level)
    {
        byte[] config = device.Config;
        config.AsSpan(PartAt).Fill(0xff);
        BinaryPrimitives.WriteUInt32LittleEndian(config.AsSpan(PartAt + ToyClass.LevelAt), level);
        device.Device.WriteConfig(config);
    }
}
