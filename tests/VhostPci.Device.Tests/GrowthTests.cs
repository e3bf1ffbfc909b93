// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

/// <summary>An origin's memory outgrows the window that its device has.</summary>
public sealed class GrowthTests
{
    private const ulong Above = 6UL << 30;

    private static MemoryRegion High => new(Above, 1 << 20, FrontEnd.UserBase + Above, 0);

    [Fact]
    public void A_region_above_the_window_gets_the_origin_a_larger_device()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice small = rig.Bridge.Last;
        small.StartDriver();
        small.Acknowledge(small.Epoch);
        origin.SendSingle(RequestCode.AddMemoryRegion, High, origin.NewMemory(1 << 20).Number);
        FakeDevice large = rig.Bridge.Last;
        Assert.NotSame(small, large);
        Assert.False(small.Link);
        Assert.Equal(0UL, small.Device.MappedBytes);
        Assert.Equal(1, small.UnplugRequests);
        Assert.Equal(8UL << 30, large.Plan.WindowSize);
        Assert.True(large.Link);
        Assert.Equal(FrontEnd.MemorySize + (1 << 20), large.Device.MappedBytes);
        Assert.Equal(("srv.1", "srv.1.2"), (small.Id, large.Id));
        Assert.Equal(small.Device.Mac, large.Device.Mac);
        Assert.Empty(rig.Log.Warnings);
        origin.Dispose();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void A_table_above_the_window_does_the_same()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice small = rig.Bridge.Last;
        origin.SendTable((FrontEnd.Region, origin.Memory!), (High, origin.NewMemory(1 << 20)));
        Assert.False(small.Link);
        Assert.True(rig.Bridge.Last.Link);
        Assert.Equal(8UL << 30, rig.Bridge.Last.Plan.WindowSize);
    }

    [Fact]
    public void What_fits_into_the_window_does_not_change_the_device()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        MemoryRegion region = new(3UL << 30, 1 << 20, FrontEnd.UserBase + (3UL << 30), 0);
        origin.SendSingle(RequestCode.AddMemoryRegion, region, origin.NewMemory(1 << 20).Number);
        Assert.Single(rig.Bridge.Devices);
        Assert.Equal(0, rig.Bridge.Last.UnplugRequests);
    }

    [Fact]
    public void Without_a_free_slot_it_waits_for_its_own_old_one()
    {
        using var rig = new Rig(connections: 1, slots: 1);
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice small = rig.Bridge.Last;
        origin.SendSingle(RequestCode.AddMemoryRegion, High, origin.NewMemory(1 << 20).Number);
        Assert.Same(small, rig.Bridge.Last);
        Assert.Contains(rig.Peers(), peer => peer.GetProperty("state").GetString() == "waiting-for-slot");
        small.Remove();
        Assert.NotSame(small, rig.Bridge.Last);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void More_than_the_bridge_can_give_is_refused_with_the_numbers()
    {
        using var rig = new Rig(connections: 1);
        using FrontEnd origin = rig.Connect();
        origin.Start();
        MemoryRegion region = new(64UL << 30, 1 << 20, FrontEnd.UserBase + (64UL << 30), 0);
        origin.SendSingle(RequestCode.AddMemoryRegion, region, origin.NewMemory(1 << 20).Number);
        Assert.True(origin.IsClosed);
        string line = Assert.Single(rig.Log.Warnings);
        Assert.Contains("0x1000100000", line, StringComparison.Ordinal);
        Assert.Contains("8 GiB", line, StringComparison.Ordinal);
    }

    [Fact]
    public void More_than_the_firmware_gave_is_refused_though_a_device_leaves()
    {
        using var rig = new Rig();
        rig.Bridge.Window = new BridgeWindow(1UL << 36, (1UL << 36) + (5UL << 30) - 1);
        using FrontEnd origin = rig.Connect();
        origin.Start();
        origin.SendSingle(RequestCode.AddMemoryRegion, High, origin.NewMemory(1 << 20).Number);
        Assert.True(origin.IsClosed);
        Assert.Contains("firmware gave 5 GiB", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_static_device_is_left_for_a_plugged_one()
    {
        using var rig = new Rig();
        FakeDevice device = rig.AddStatic(new Devices.StaticConfig());
        using FrontEnd origin = rig.Connect();
        origin.Start();
        Assert.True(device.Link);
        origin.SendSingle(RequestCode.AddMemoryRegion, High, origin.NewMemory(1 << 20).Number);
        Assert.False(device.Link);
        Assert.True(device.Device.State == Devices.DeviceState.Waiting);
        Assert.Equal(0, device.UnplugRequests);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void Window_sizes_may_be_mixed()
    {
        using var rig = new Rig(connections: 8);
        ulong[] ends = [1UL << 30, 16UL << 30, 3UL << 30, 5UL << 30];
        var origins = ends.Select(end =>
        {
            FrontEnd origin = rig.Connect();
            origin.Start(memoryEnd: end);
            return origin;
        }).ToList();
        Assert.Equal([4UL << 30, 16UL << 30, 4UL << 30, 8UL << 30], rig.Bridge.Devices.Select(device => device.Plan.WindowSize));
        Assert.All(rig.Bridge.Devices, device => Assert.True(device.Link));
        origins.ForEach(origin => origin.Dispose());
        rig.AssertNothingLeft();
    }
}
