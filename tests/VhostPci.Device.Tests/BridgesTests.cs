// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Server;
using VhostPci.Device.Tests.Support;

namespace VhostPci.Device.Tests;

/// <summary>More connections than one bridge has slots.</summary>
public sealed class BridgesTests
{
    private const ulong GiB = 1UL << 30;

    [Fact]
    public void Each_bridge_gets_as_many_as_it_has_room_for()
    {
        using var rig = new Rig(connections: 64);
        Assert.Equal(3, rig.Server.Plan.Bridges);
        List<FrontEnd> origins = Start(rig, 64);
        Assert.Equal([(null, 22), ("srv.bridge1", 22), ("srv.bridge2", 20)], rig.Bridge.Buses.CountBy(bus => bus ?? string.Empty)
            .Select(pair => (pair.Key.Length == 0 ? null : pair.Key, pair.Value)));
        Assert.All(rig.Bridge.Devices, device => Assert.True(device.Link));
        Assert.Equal(64, rig.Peers().Select(peer => (peer.TryGetProperty("bus", out var bus) ? bus.GetString() : null, peer.GetProperty("slot").GetInt32())).Distinct().Count());

        using (FrontEnd late = rig.Connect())
        {
            Assert.True(late.IsClosed);
        }

        Assert.Contains("all 64 connections are in use", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        origins.ForEach(origin => origin.Dispose());
        rig.AssertNothingLeft();
    }

    [Fact]
    public void A_place_on_any_bridge_is_used_again()
    {
        using var rig = new Rig(connections: 64);
        List<FrontEnd> origins = Start(rig, 64);
        origins[30].Dispose();
        FakeDevice gone = rig.Bridge.Devices[30];
        gone.Remove();
        using FrontEnd next = rig.Connect();
        next.Start();
        Assert.Equal((gone.Slot, "srv.bridge1"), (rig.Bridge.Last.Slot, rig.Bridge.Buses[^1]));
    }

    [Fact]
    public void What_the_firmware_gave_counts()
    {
        using var rig = new Rig(connections: 64);
        rig.Bridge.Window = new BridgeWindow(64 * GiB, (72 * GiB) - 1);
        rig.Bridge.Ports["srv.bridge1"] = new BridgeWindow(128 * GiB, (144 * GiB) - 1);
        rig.Bridge.Ports["srv.bridge2"] = new BridgeWindow(GiB, (3 * GiB) - 1);
        Start(rig, 4);

        // One, then three with the spare room of the second; only then the first one's.
        Assert.Equal([null, "srv.bridge1", "srv.bridge1", "srv.bridge1"], rig.Bridge.Buses);
        Start(rig, 2);
        Assert.Equal([null, "srv.bridge1"], rig.Bridge.Buses.Skip(4));
        using FrontEnd late = rig.Connect();
        late.Start();
        Assert.True(late.IsClosed);
        Assert.Contains("firmware gave 2 GiB of 92 GiB at 0x40000000, 0 B are in use and 4 GiB are needed", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_large_origin_goes_where_it_fits()
    {
        using var rig = new Rig(connections: 64);
        rig.Bridge.Window = new BridgeWindow(64 * GiB, (80 * GiB) - 1);
        rig.Bridge.Ports["srv.bridge1"] = new BridgeWindow(128 * GiB, (220 * GiB) - 1);
        rig.Bridge.Ports["srv.bridge2"] = new BridgeWindow(256 * GiB, (348 * GiB) - 1);
        using FrontEnd large = rig.Connect();
        large.Start(memoryEnd: 40 * GiB);
        Assert.Equal("srv.bridge1", Assert.Single(rig.Bridge.Buses));
        Assert.Equal(64 * GiB, rig.Bridge.Last.Plan.WindowSize);
    }

    [Fact]
    public void While_somebody_leaves_the_spare_room_is_not_used()
    {
        using var rig = new Rig(connections: 1);
        using FrontEnd first = rig.Connect();
        first.Start();
        first.Dispose();
        using FrontEnd second = rig.Connect();
        second.Start(lastOfMac: 2);
        Assert.False(second.IsClosed);
        Assert.Single(rig.Bridge.Devices);
        rig.Bridge.Devices[0].Remove();
        Assert.Equal(2, rig.Bridge.Devices.Count);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void A_static_device_has_its_slot_on_a_further_bridge()
    {
        using var rig = new Rig(connections: 64);
        rig.AddStatic(new StaticConfig { Bus = "srv.bridge2", Slot = 1, PeerName = "nobody" });
        Assert.Equal((1, "srv.bridge2"), (rig.Peers()[0].GetProperty("slot").GetInt32(), rig.Peers()[0].GetProperty("bus").GetString()));
        Assert.False(rig.Server.TryCreateStatic(new StaticConfig { Bus = "srv.bridge2", Slot = 1 }, out _, out string error));
        Assert.Contains("slot 1 of bus srv.bridge2 is in use", error, StringComparison.Ordinal);
        Start(rig, 45);
        Assert.Equal((2, "srv.bridge2"), (rig.Bridge.Last.Slot, rig.Bridge.Buses[^1]));
    }

    [Fact]
    public void Servers_know_of_each_other()
    {
        using var rig = new Rig(connections: 32);
        Assert.True(rig.Library.TryPlan(rig.Server.Config, out BridgePlan plan, out string error), error);
        Assert.Equal(3, plan.Bridges);
        Assert.Equal(Budgets.CountDescriptors(64, 1) + (32 * 31 * 4) + Budgets.LeftDescriptors, rig.Library.Descriptors.CountAll(rig.Server.Config with { QueuesMax = 1 }));
        Assert.Equal(Budgets.CountDescriptors(64, 32) + Budgets.LeftDescriptors, rig.Library.Descriptors.CountAll(rig.Server.Config));
        rig.Library.Descriptors.Limit = Budgets.CountDescriptors(64, 1) - 1;
        Assert.False(rig.Library.TryCreateServer(rig.Bridge, new FakeListener(), rig.Server.Config, out _, out error));
        Assert.Equal(
            "connections=32 may take 3520 file descriptors in this process, but it may have only 3519: raise the limit (ulimit -Hn, LimitNOFILE=) or lower connections=",
            error);
    }

    [Fact]
    public void A_guest_without_room_is_told_what_its_bus_has()
    {
        using var rig = new Rig(connections: 2);
        rig.Bridge.Window = new BridgeWindow(4 * GiB, (16 * GiB) - 1);
        Start(rig, 2);
        rig.Bridge.Last.Device.SetStatus(0x83, WindowPlacement.NoAddress);
        Assert.EndsWith("its bus has 12 GiB at 0x100000000, of which other windows have 4 GiB; raise slot-size= or connections= on the vhost-pci-server",
            Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Firmware_that_gives_nothing_is_reported_at_once_and_once()
    {
        using var rig = new Rig(connections: 2);
        rig.Bridge.Window = new BridgeWindow(0xfff00000, 0xfffff, Bus: 1);
        Start(rig, 2);
        Assert.EndsWith("has no window so far: the firmware gave its bus nothing of 12 GiB; lower connections= or slot-size= on the vhost-pci-server, or use SeaBIOS",
            Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.All(rig.Peers(), peer => Assert.Equal("no-window", peer.GetProperty("state").GetString()));

        // The guest found room by itself.
        rig.Bridge.Window = new BridgeWindow(4 * GiB, (16 * GiB) - 1, Bus: 1);
        Assert.All(rig.Peers(), peer => Assert.Equal("running", peer.GetProperty("state").GetString()));
    }

    [Fact]
    public void And_what_can_be_done_elsewhere()
    {
        using var rig = new Rig(connections: 1);
        FakeDevice fixedDevice = rig.AddStatic(new StaticConfig { Bus = "pci.0", Slot = 9, PeerName = "nobody" });
        fixedDevice.Device.SetStatus(0x83, WindowPlacement.NoAddress);
        Assert.EndsWith("leave out bus= and addr=", rig.Log.Warnings[^1], StringComparison.Ordinal);

        using var ports = new Rig(connections: 1, change: config => config with { SlotBuses = ["rp0"] });
        Start(ports, 1);
        ports.Bridge.Last.Device.SetStatus(0x83, WindowPlacement.NoAddress);
        Assert.EndsWith("raise pref64-reserve= of the port", ports.Log.Warnings[^1], StringComparison.Ordinal);
    }

    private static List<FrontEnd> Start(Rig rig, int count)
    {
        var origins = new List<FrontEnd>();
        for (int i = 0; i < count; i++)
        {
            FrontEnd origin = rig.Connect();
            origin.Start(lastOfMac: (byte)(i + 1));
            origins.Add(origin);
        }

        return origins;
    }
}
