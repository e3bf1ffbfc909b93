// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Tests.Support;

namespace VhostPci.Device.Tests;

/// <summary>An origin leaves and comes back before the guest is asked for its device.</summary>
public sealed class ReturnTests
{
    private const uint Delay = 3;

    [Fact]
    public void The_same_origin_gets_its_device_back()
    {
        using Rig rig = NewRig();
        using FrontEnd first = rig.Connect();
        first.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        device.Acknowledge(device.Epoch);
        first.Dispose();
        Assert.False(device.Link);
        Assert.Equal("away", Assert.Single(rig.Peers()).GetProperty("state").GetString());
        rig.Host.Advance(2999);
        Assert.Equal(0, device.UnplugRequests);

        using FrontEnd second = rig.Connect();
        second.Start();
        Assert.Same(device, Assert.Single(rig.Bridge.Devices));
        Assert.False(device.Link);
        device.Acknowledge(device.Epoch);
        Assert.True(device.Link);
        Assert.Equal(2UL, Assert.Single(rig.Peers()).GetProperty("connection").GetUInt64());
        rig.Host.Advance(60_000);
        Assert.Equal(0, device.UnplugRequests);
        Assert.Empty(rig.Log.Warnings);
        second.Dispose();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void After_the_delay_the_guest_is_asked_and_the_origin_gets_a_new_device()
    {
        using Rig rig = NewRig();
        using FrontEnd first = rig.Connect();
        first.Start();
        FakeDevice device = rig.Bridge.Last;
        first.Dispose();
        rig.Host.Advance(3000);
        Assert.Equal(1, device.UnplugRequests);
        Assert.Equal("leaving", Assert.Single(rig.Peers()).GetProperty("state").GetString());
        rig.Host.Advance(1000);
        Assert.Equal(2, device.UnplugRequests);
        using FrontEnd second = rig.Connect();
        second.Start();
        Assert.Equal(2, rig.Bridge.Devices.Count);
        Assert.True(rig.Bridge.Last.Link);
        Assert.Equal(device.Device.Mac, rig.Bridge.Last.Device.Mac);
    }

    [Theory]
    [InlineData("other", 1)]
    [InlineData("nic", 2)]
    public void Another_origin_gets_a_device_of_its_own(string name, byte lastOfMac)
    {
        using Rig rig = NewRig();
        using FrontEnd first = rig.Connect();
        first.Start();
        first.Dispose();
        using FrontEnd second = rig.Connect();
        second.Start(name: name, lastOfMac: lastOfMac);
        Assert.Equal(2, rig.Bridge.Devices.Count);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void An_origin_that_says_nothing_of_itself_is_not_known_again()
    {
        using Rig rig = NewRig();
        for (int i = 1; i <= 2; i++)
        {
            using FrontEnd origin = rig.Connect();
            origin.Negotiate();
            origin.Run();
            Assert.Equal(i, rig.Bridge.Devices.Count);
        }
    }

    [Fact]
    public void An_origin_that_has_grown_meanwhile_gets_a_larger_device()
    {
        using Rig rig = NewRig();
        using FrontEnd first = rig.Connect();
        first.Start();
        first.Dispose();
        using FrontEnd second = rig.Connect();
        second.Start(memoryEnd: 6UL << 30);
        Assert.Equal(2, rig.Bridge.Devices.Count);
        Assert.Equal(8UL << 30, rig.Bridge.Last.Plan.WindowSize);
    }

    [Fact]
    public void Whoever_is_here_comes_before_who_may_return()
    {
        using Rig rig = NewRig(slots: 4);
        for (byte i = 1; i <= 4; i++)
        {
            using FrontEnd origin = rig.Connect();
            origin.Start(lastOfMac: i);
        }

        Assert.All(rig.Bridge.Devices, device => Assert.Equal(0, device.UnplugRequests));
        using FrontEnd next = rig.Connect();
        next.Start(lastOfMac: 9);
        Assert.Equal([1, 0, 0, 0], rig.Bridge.Devices.Select(static device => device.UnplugRequests));
        rig.Bridge.Devices[0].Remove();
        Assert.Equal(5, rig.Bridge.Devices.Count);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void When_the_bridge_goes_nobody_is_waited_for()
    {
        using Rig rig = NewRig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        rig.Library.Destroy(rig.Server);
        Assert.Equal(1, rig.Bridge.Last.UnplugRequests);
    }

    [Fact]
    public void A_guest_that_lets_the_device_go_by_itself_may()
    {
        using Rig rig = NewRig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        origin.Dispose();
        rig.Bridge.Last.Remove();
        rig.AssertNothingLeft();
    }

    private static Rig NewRig(uint slots = 32) => new(slots: slots, change: config => config with { UnplugDelay = Delay });
}
