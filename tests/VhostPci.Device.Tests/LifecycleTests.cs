// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Tests.Support;

namespace VhostPci.Device.Tests;

public sealed class LifecycleTests
{
    [Fact]
    public void A_thousand_origins_come_and_go_and_leave_nothing()
    {
        using var rig = new Rig(change: static config => config with { PlugRate = 0 });
        for (int i = 0; i < 1000; i++)
        {
            using FrontEnd origin = rig.Connect();
            origin.Start();
            Assert.True(rig.Bridge.Last.Link);
            origin.Dispose();
            rig.Bridge.Last.Remove();
            Assert.Equal(rig.Baseline, Descriptors.Count());
        }

        Assert.Equal(1000, rig.Bridge.Devices.Count);
        Assert.All(rig.Bridge.Devices, device => Assert.Equal(1, device.Slot));
        rig.AssertNothingLeft();
        Assert.Empty(rig.Log.Warnings);
    }

    [Fact]
    public void The_end_of_the_server_ends_all_connections()
    {
        using var rig = new Rig();
        using FrontEnd first = rig.Connect();
        first.Start();
        using FrontEnd second = rig.Connect();
        second.Start();
        rig.Library.Destroy(rig.Server);
        Assert.True(first.IsClosed);
        Assert.True(second.IsClosed);
        foreach (FakeDevice device in rig.Bridge.Devices)
        {
            Assert.False(device.Link);
            device.Remove();
        }

        first.Dispose();
        second.Dispose();
        Assert.Equal(0, rig.Host.Reactors);
        Assert.Equal(0, rig.Host.Watches);
        Assert.Equal(0, rig.Host.Timers);
        Assert.Equal(rig.Baseline, Descriptors.Count());
    }

    [Fact]
    public void Several_origins_have_slots_of_their_own()
    {
        using var rig = new Rig(connections: 32);
        var origins = new List<FrontEnd>();
        for (int i = 0; i < 32; i++)
        {
            origins.Add(rig.Connect());
            origins[^1].Start();
        }

        Assert.Equal(32, rig.Bridge.Devices.Select(device => device.Slot).Distinct().Count());
        Assert.All(rig.Bridge.Devices, device => Assert.True(device.Link));
        Assert.Equal(0, rig.Bridge.Last.Slot);
        foreach (FrontEnd origin in origins)
        {
            origin.Dispose();
        }

        rig.AssertNothingLeft();
    }
}
