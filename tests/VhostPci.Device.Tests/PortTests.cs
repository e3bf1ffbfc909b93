// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Device.Server;
using VhostPci.Device.Tests.Support;

namespace VhostPci.Device.Tests;

/// <summary><c>slots=rp0:rp1</c>: devices on the user's own ports.</summary>
public sealed class PortTests
{
    private const ulong Gibibyte = 1UL << 30;

    [Fact]
    public void Nothing_is_reserved()
    {
        using Rig rig = NewRig("rp0", "rp1");
        Assert.Equal(0UL, rig.Server.Plan.Prefetchable);
    }

    [Fact]
    public void One_device_goes_to_each_port_in_order()
    {
        using Rig rig = NewRig("rp0", "rp1");
        using FrontEnd first = rig.Connect();
        first.Start();
        using FrontEnd second = rig.Connect();
        second.Start(lastOfMac: 2);
        Assert.Equal(["rp0", "rp1"], rig.Bridge.Buses);
        Assert.All(rig.Bridge.Devices, device => Assert.Equal((0, true), (device.Slot, device.Link)));
        Assert.Equal(["rp0", "rp1"], rig.Peers().Select(peer => peer.GetProperty("bus").GetString()));
        first.Dispose();
        rig.Bridge.Devices[0].Remove();
        using FrontEnd third = rig.Connect();
        third.Start(lastOfMac: 3);
        Assert.Equal("rp0", rig.Bridge.Buses[^1]);
    }

    [Fact]
    public void An_origin_gets_a_port_with_room_for_it()
    {
        using Rig rig = NewRig("small", "large");
        rig.Bridge.Ports["small"] = new BridgeWindow(64 * Gibibyte, (68 * Gibibyte) - 1);
        rig.Bridge.Ports["large"] = new BridgeWindow(128 * Gibibyte, (144 * Gibibyte) - 1);
        using FrontEnd origin = rig.Connect();
        origin.Start(memoryEnd: 12 * Gibibyte);
        Assert.Equal("large", Assert.Single(rig.Bridge.Buses));
        Assert.Equal(16 * Gibibyte, rig.Bridge.Last.Plan.WindowSize);

        using FrontEnd another = rig.Connect();
        another.Start(memoryEnd: 12 * Gibibyte, lastOfMac: 2);
        Assert.True(another.IsClosed);
        Assert.Contains("no port in slots= with a window of 16 GiB is free", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_any_such_port_it_is_refused()
    {
        using Rig rig = NewRig("rp0");
        rig.Bridge.Ports["rp0"] = new BridgeWindow(64 * Gibibyte, (68 * Gibibyte) - 1);
        using FrontEnd origin = rig.Connect();
        origin.Start(memoryEnd: 12 * Gibibyte);
        Assert.True(origin.IsClosed);
        Assert.Contains("pref64-reserve=", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rp0", "rp0")]
    [InlineData("rp0", "")]
    public void The_names_must_be_different_buses(string first, string second)
    {
        using var rig = new Rig();
        ServerConfig config = rig.Server.Config with { Connections = 2, SlotBuses = [first, second] };
        Assert.False(BridgePlanner.TryPlan(config, [], out _, out string error));
        Assert.Contains("slots=rp0:rp1", error, StringComparison.Ordinal);
    }

    [Fact]
    public void There_must_be_a_port_for_each_connection()
    {
        using var rig = new Rig();
        ServerConfig config = rig.Server.Config with { Connections = 3, SlotBuses = ["rp0", "rp1"] };
        Assert.False(BridgePlanner.TryPlan(config, [], out _, out string error));
        Assert.Contains("2 buses", error, StringComparison.Ordinal);
    }

    private static Rig NewRig(params string[] buses)
        => new(connections: (uint)buses.Length, change: config => config with { SlotBuses = buses });
}
