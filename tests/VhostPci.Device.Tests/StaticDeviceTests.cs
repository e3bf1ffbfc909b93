// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

public sealed class StaticDeviceTests
{
    [Fact]
    public void A_socket_of_its_own_serves_this_device_only()
    {
        using var rig = new Rig(connections: 2, slots: 0);
        using (FrontEnd early = rig.Connect())
        {
            early.Negotiate();
            early.SendInfo();
            Assert.True(early.IsClosed);
        }

        FakeDevice device = rig.AddStatic(new StaticConfig { Id = "vpn0" });
        device.StartDriver();
        using (FrontEnd large = rig.Connect())
        {
            large.Negotiate();
            large.SendInfo(5UL << 30);
            Assert.True(large.IsClosed);
            Assert.Contains("memory up to 0x140000000 in a window of 4 GiB (window-size=)", rig.Log.Warnings[^1], StringComparison.Ordinal);
        }

        FrontEnd first = rig.Connect();
        using FrontEnd second = rig.Connect();
        first.Start();
        second.Start(lastOfMac: 2);
        Assert.True(device.Link);
        Assert.Equal("waiting-for-slot", rig.Peers()[^1].GetProperty("state").GetString());
        Assert.Empty(rig.Bridge.Buses);
        first.Dispose();
        device.Acknowledge(device.Epoch);
        Assert.True(device.Link);
        Assert.Equal(2, device.Config[NetConfigAt.OriginMac + 5]);
    }

    [Fact]
    public void It_waits_with_the_link_down_and_takes_the_next_origin()
    {
        using var rig = new Rig();
        FakeDevice device = rig.AddStatic(new StaticConfig { Id = "vpn0" });
        device.StartDriver();
        Assert.False(device.Link);
        JsonElement peer = Assert.Single(rig.Peers());
        Assert.Equal(("waiting", "vpn0", true), (peer.GetProperty("state").GetString(), peer.GetProperty("device").GetString(), peer.GetProperty("static").GetBoolean()));
        Assert.False(peer.TryGetProperty("pid", out _));
        Assert.False(peer.TryGetProperty("slot", out _));

        using FrontEnd origin = rig.Connect();
        origin.Start();
        Assert.Same(device, Assert.Single(rig.Bridge.Devices));
        Assert.True(device.Link);
        Assert.Equal([0x52, 0x54, 0, 0, 0, 1], device.Config[NetConfigAt.OriginMac..(NetConfigAt.OriginMac + 6)]);
        Assert.Equal("running", Assert.Single(rig.Peers()).GetProperty("state").GetString());
        Assert.Empty(rig.Log.Warnings);
    }

    [Fact]
    public void It_stays_when_its_origin_leaves_and_takes_another_one()
    {
        using var rig = new Rig();
        FakeDevice device = rig.AddStatic(new StaticConfig { Id = "vpn0" });
        device.StartDriver();
        for (byte i = 1; i <= 3; i++)
        {
            using FrontEnd origin = rig.Connect();
            origin.Start(lastOfMac: i);
            device.Acknowledge(device.Epoch);
            Assert.True(device.Link);
            Assert.Equal(i, device.Config[NetConfigAt.OriginMac + 5]);
            origin.Dispose();
            Assert.False(device.Link);
            Assert.Equal(0UL, device.Device.MappedBytes);
            Assert.Equal(0, device.UnplugRequests);
            Assert.Equal(new byte[6], device.Config[NetConfigAt.OriginMac..(NetConfigAt.OriginMac + 6)]);
            Assert.Equal("waiting", Assert.Single(rig.Peers()).GetProperty("state").GetString());
            rig.Host.Advance(60_000);
            Assert.Equal(0, device.UnplugRequests);
        }

        rig.AssertNothingLeft();
    }

    [Fact]
    public void The_next_origins_memory_waits_until_the_driver_has_let_go_of_the_last_ones()
    {
        using var rig = new Rig();
        FakeDevice device = rig.AddStatic(new StaticConfig());
        device.StartDriver();
        using FrontEnd first = rig.Connect();
        first.Start();
        device.Acknowledge(device.Epoch);
        first.Dispose();
        using FrontEnd second = rig.Connect();
        second.Start();
        Assert.False(device.Link);
        Assert.Equal(0UL, device.Device.MappedBytes);
        Assert.Equal("waiting-for-driver", Assert.Single(rig.Peers()).GetProperty("state").GetString());
        rig.Host.Advance(5000);
        Assert.Contains("has not acknowledged", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        device.Acknowledge(device.Epoch);
        Assert.True(device.Link);
    }

    [Fact]
    public void Its_address_is_the_users_or_made_from_its_id_and_never_changes()
    {
        using var rig = new Rig();
        MacAddress mac = MacAddress.Read([0x52, 0x54, 0, 0, 0, 0x77]);
        FakeDevice first = rig.AddStatic(new StaticConfig { Id = "a", Options = new NetOptions(mac) });
        FakeDevice second = rig.AddStatic(new StaticConfig { Id = "b" });
        MacAddress made = second.Device.Mac;
        Assert.True(made.IsLocal && !made.IsMulticast);
        using FrontEnd one = rig.Connect();
        one.Start();
        using FrontEnd two = rig.Connect();
        two.Start(lastOfMac: 2);
        Assert.True(first.Link && second.Link);
        Assert.Equal(mac, first.Device.Mac);
        Assert.Equal(made, second.Device.Mac);
    }

    [Fact]
    public void Devices_are_given_out_by_name_and_then_in_order_of_definition()
    {
        using var rig = new Rig();
        FakeDevice any = rig.AddStatic(new StaticConfig { Id = "any" });
        FakeDevice other = rig.AddStatic(new StaticConfig { Id = "other" });
        FakeDevice named = rig.AddStatic(new StaticConfig { Id = "named", PeerName = "db" });
        using FrontEnd db = rig.Connect();
        db.Start(name: "db");
        Assert.True(named.Link);
        using FrontEnd web = rig.Connect();
        web.Start(name: "web");
        Assert.True(any.Link);
        using FrontEnd more = rig.Connect();
        more.Start(name: "db");
        Assert.True(other.Link);
        using FrontEnd plugged = rig.Connect();
        plugged.Start(name: "db");
        Assert.Equal("srv.4", rig.Bridge.Last.Id);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void An_origin_without_a_name_gets_no_device_that_waits_for_one()
    {
        using var rig = new Rig();
        FakeDevice named = rig.AddStatic(new StaticConfig { PeerName = "db" });
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.Run();
        Assert.False(named.Link);
        Assert.True(rig.Bridge.Last.Link);
        Assert.NotSame(named, rig.Bridge.Last);
    }

    [Fact]
    public void An_origin_that_is_too_large_is_plugged_and_one_line_says_why()
    {
        using var rig = new Rig(change: config => config with { SlotSize = 16UL << 30 });
        FakeDevice small = rig.AddStatic(new StaticConfig { Id = "small", WindowSize = 4UL << 30 });
        for (int i = 0; i < 3; i++)
        {
            using FrontEnd origin = rig.Connect();
            origin.Start(memoryEnd: 5UL << 30);
            Assert.True(rig.Bridge.Last.Link);
            Assert.NotSame(small, rig.Bridge.Last);
        }

        string line = Assert.Single(rig.Log.Warnings);
        Assert.Contains("'small' (window 4 GiB)", line, StringComparison.Ordinal);
        Assert.Contains("0x140000000", line, StringComparison.Ordinal);
        Assert.Contains("window-size=", line, StringComparison.Ordinal);
        Assert.Equal(0, small.UnplugRequests);
    }

    [Fact]
    public void A_static_window_may_be_larger_than_the_slots()
    {
        using var rig = new Rig();
        FakeDevice large = rig.AddStatic(new StaticConfig { WindowSize = 64UL << 30 });
        using FrontEnd origin = rig.Connect();
        origin.Start(memoryEnd: 40UL << 30);
        Assert.True(large.Link);
        Assert.Equal(64UL << 30, large.Read64(GuestAbi.Config.WindowSize));
    }

    [Fact]
    public void On_the_servers_own_bridge_it_has_its_slot()
    {
        using var rig = new Rig();
        rig.AddStatic(new StaticConfig { Bus = "srv", Slot = 1, PeerName = "nobody" });
        Assert.False(rig.Server.TryCreateStatic(new StaticConfig { Bus = "srv", Slot = 1 }, out _, out string error));
        Assert.Contains("slot 1", error, StringComparison.Ordinal);
        using FrontEnd origin = rig.Connect();
        origin.Start();
        Assert.Equal(2, rig.Bridge.Last.Slot);
    }

    [Fact]
    public void A_waiting_connection_gets_a_static_device_that_becomes_free()
    {
        using var rig = new Rig(slots: 4);
        FakeDevice device = rig.AddStatic(new StaticConfig());
        var origins = new List<FrontEnd>();
        for (int i = 0; i < 4; i++)
        {
            origins.Add(rig.Connect());
            origins[i].Start();
        }

        // The guest keeps the plugged ones, so three of four slots stay taken; one more comes each time.
        for (int i = 1; i < 4; i++)
        {
            origins[i].Dispose();
        }

        using FrontEnd last = rig.Connect();
        last.Start();
        using FrontEnd waiting = rig.Connect();
        waiting.Start();
        Assert.Contains(rig.Peers(), peer => peer.GetProperty("state").GetString() == "waiting-for-slot");
        origins[0].Dispose();
        Assert.True(device.Link);
        Assert.DoesNotContain(rig.Peers(), peer => peer.GetProperty("state").GetString() == "waiting-for-slot");
    }

    [Fact]
    public void The_users_removal_closes_the_connection()
    {
        using var rig = new Rig();
        FakeDevice device = rig.AddStatic(new StaticConfig());
        using FrontEnd origin = rig.Connect();
        origin.Start();
        device.Remove();
        Assert.True(origin.IsClosed);
        Assert.Empty(rig.Server.Devices);
    }

    [Theory]
    [InlineData(1UL << 30)]
    [InlineData(5UL << 30)]
    [InlineData(1UL << 40)]
    public void A_wrong_window_size_is_an_error(ulong size)
    {
        using var rig = new Rig();
        Assert.False(rig.Server.TryCreateStatic(new StaticConfig { WindowSize = size }, out _, out string error));
        Assert.Contains("window-size=", error, StringComparison.Ordinal);
        Assert.Contains("power of two", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_address_is_an_error()
    {
        using var rig = new Rig();
        MacAddress mac = MacAddress.Read([1, 0, 0, 0, 0, 0]);
        Assert.False(rig.Server.TryCreateStatic(new StaticConfig { Options = new NetOptions(mac) }, out _, out string error));
        Assert.Contains("group address", error, StringComparison.Ordinal);
    }
}
