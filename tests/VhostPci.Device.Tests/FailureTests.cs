// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

/// <summary>When the host cannot do what it is asked: the origin that asked for it goes, with a reason, and nothing of it stays.</summary>
public sealed class FailureTests
{
    [Fact]
    public void Without_addresses_for_its_window_an_origin_is_refused()
    {
        var windows = new FailingWindows { ReserveFails = true };
        using var rig = new Rig(windows: windows);
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendInfo();
        Assert.True(origin.IsClosed);
        Assert.Contains("could not be plugged: no addresses are left", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        origin.Dispose();
        rig.AssertNothingLeft();

        windows.ReserveFails = false;
        using FrontEnd next = rig.Connect();
        next.Start();
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void Memory_that_cannot_be_mapped_is_not_shown_in_part()
    {
        var windows = new FailingWindows { MapFails = true };
        using var rig = new Rig(windows: windows);
        using FrontEnd origin = rig.Connect();
        origin.Start();
        Assert.True(origin.IsClosed);
        Assert.Contains("the kernel does not map it", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.False(rig.Bridge.Last.Link);
        Assert.Equal(0UL, rig.Bridge.Last.Device.MappedBytes);
        origin.Dispose();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void A_region_that_cannot_be_mapped_into_a_running_window_ends_the_connection()
    {
        var windows = new FailingWindows();
        using var rig = new Rig(windows: windows);
        using FrontEnd origin = rig.Connect();
        origin.Start();
        Assert.True(rig.Bridge.Last.Link);
        windows.MapFails = true;
        origin.SendSingle(RequestCode.AddMemoryRegion, new MemoryRegion(1UL << 30, 1 << 20, 1UL << 50, 0), origin.NewMemory(1 << 20).Number);
        Assert.True(origin.IsClosed);
        Assert.Contains("the kernel does not map it", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        origin.Dispose();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void A_kick_that_cannot_replace_another_ends_the_connection()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        rig.Bridge.Last.BindFails = true;
        origin.SendFile(RequestCode.SetVringKick, 0, origin.NewEvent());
        Assert.True(origin.IsClosed);
        Assert.Contains("the eventfd for ring 0 could not be bound", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.False(rig.Bridge.Last.Link);
    }

    [Fact]
    public void Eventfds_that_cannot_be_bound_when_the_driver_has_let_go_end_the_connection()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        origin.AskBase(0);
        origin.AskBase(1);
        origin.Run();
        Assert.False(device.Link);
        device.BindFails = true;
        device.Acknowledge(device.Epoch);
        Assert.True(origin.IsClosed);
        Assert.Contains("the eventfds of its rings could not be bound", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.Equal(0UL, device.Device.MappedBytes);
    }

    [Fact]
    public void Eventfds_that_cannot_be_bound_after_a_wait_for_a_slot_end_the_connection()
    {
        using var rig = new Rig(connections: 1, slots: 1);
        rig.Connect().Dispose();
        using (FrontEnd first = rig.Connect())
        {
            first.Start();
        }

        using FrontEnd origin = rig.Connect();
        origin.Start();
        Assert.Single(rig.Bridge.Devices);
        rig.Bridge.BindFails = true;
        rig.Bridge.Last.Remove();
        Assert.Equal(2, rig.Bridge.Devices.Count);
        Assert.True(origin.IsClosed);
        Assert.Contains("could not be bound", rig.Log.Warnings[^1], StringComparison.Ordinal);
        origin.Dispose();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void A_mistake_of_ours_ends_the_connection_that_met_it_and_is_not_hidden()
    {
        using var rig = new Rig();
        using FrontEnd other = rig.Connect();
        other.Start();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        rig.Bridge.Find = static _ => throw new InvalidOperationException("a test's mistake");
        Assert.Throws<InvalidOperationException>(() => origin.SendInfo(name: "two", lastOfMac: 2));
        Assert.True(origin.IsClosed);
        Assert.Contains("internal error: a test's mistake", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.True(rig.Bridge.Last.Link);
        Assert.Single(rig.Server.Connections);
    }

    [Fact]
    public void A_device_may_go_while_its_origin_is_being_heard()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.Told = () =>
        {
            device.Told = null;
            device.Remove();
        };
        origin.Send(RequestCode.NetSetMtu, 9000);
        Assert.True(origin.IsClosed);
        Assert.Contains("its device was removed", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        origin.Dispose();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void A_guest_that_refuses_is_asked_again_though_it_acknowledges()
    {
        using var rig = new Rig();
        FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        device.UnplugFails = true;
        origin.Dispose();
        Assert.Equal(1, device.UnplugRequests);
        Assert.Contains(rig.Log.Lines, static line => line.Text.Contains("unplug request 1 failed: the guest has no driver", StringComparison.Ordinal));
        device.Acknowledge(device.Epoch);
        rig.Host.Advance(1000);
        Assert.Equal(2, device.UnplugRequests);
        device.Remove();
        rig.Host.Advance(10_000);
        Assert.Equal(2, device.UnplugRequests);
    }

    [Fact]
    public void A_device_is_attached_once_and_given_to_one_origin()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        MirrorDevice device = rig.Bridge.Last.Device;
        Assert.False(rig.Bridge.TryAttach(device, 1, "again", out string error));
        Assert.Contains("in use already", error, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => device.Adopt(rig.Server.Connections[0], 9, default, null));
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void A_connection_may_be_closed_twice()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        Connection connection = rig.Server.Connections[0];
        connection.Close();
        connection.Dispose();
        Assert.True(origin.IsClosed);
        origin.Dispose();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void An_origin_that_talks_without_end_leaves_room_for_others()
    {
        using var rig = new Rig();
        using Channel channel = rig.Listener.Connect();
        rig.Host.Pump(1);
        byte[] message = new byte[MessageHeader.Size];
        MessageWriter.Write(message, RequestCode.SetOwner, MessageFlags.None, []);
        for (int i = 0; i < 40; i++)
        {
            Assert.True(channel.TrySend(message, [], 0));
        }

        rig.Host.Pump(1);
        Assert.Equal(32UL, rig.Server.Messages);
        rig.Host.Pump(1);
        Assert.Equal(40UL, rig.Server.Messages);
        Assert.Equal(0, rig.Host.Timers);
    }

    [Fact]
    public void Half_a_message_behind_many_is_waited_for()
    {
        using var rig = new Rig();
        using Channel channel = rig.Listener.Connect();
        rig.Host.Pump(1);
        byte[] message = new byte[MessageHeader.Size];
        MessageWriter.Write(message, RequestCode.SetOwner, MessageFlags.None, []);
        Assert.True(channel.TrySend([.. Enumerable.Repeat(message, 33).SelectMany(static bytes => bytes), 3], [], 0));
        rig.Host.Pump(1);
        Assert.Equal(0, rig.Host.Timers);
        rig.Host.Pump(1);
        Assert.Equal(1, rig.Host.Timers);
        rig.Host.Advance(5000);
        Assert.Empty(rig.Server.Connections);
    }

    [Fact]
    public void The_same_address_again_withdraws_nothing()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        uint epoch = rig.Bridge.Last.Epoch;
        origin.SendAddress(0, FrontEnd.RingAddress(0));
        Assert.Equal(epoch, rig.Bridge.Last.Epoch);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void A_ring_whose_memory_is_gone_is_where_it_was_said_to_be()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        origin.SendState(RequestCode.SetVringEnable, 0, 0);
        Assert.False(rig.Bridge.Last.Link);
        origin.SendTable((new MemoryRegion(1UL << 30, 1 << 20, 1UL << 50, 0), origin.NewMemory(1 << 20)));
        Assert.Equal(new VringState(0, 0), origin.AskBase(0));
        Assert.Empty(rig.Log.Warnings);
    }

    [Theory]
    [InlineData(0x1000, 0x10000, "not aligned to its pages", false)]
    [InlineData(0x4000, 0x8000, "past the window", true)]
    public void Only_a_window_that_is_too_small_can_be_made_larger(ulong guest, ulong window, string reason, bool remedy)
    {
        var facts = new PeerFileFacts(IsMemoryFile: true, IsReadWrite: true, IsShrinkSealed: true, Size: 0x10000, PageSize: 0x2000);
        Verdict verdict = MemoryRules.Check(new MemoryRegion(guest, 0x6000, 0, 0), facts, window, allowUnsealed: false);
        Assert.Contains(reason, verdict.Reason, StringComparison.Ordinal);
        Assert.Equal(remedy, verdict.Reason!.Contains("slot-size=", StringComparison.Ordinal));
    }

    [Fact]
    public void A_window_below_4_GiB_is_of_no_use()
    {
        var low = new BridgeWindow(1UL << 31, (1UL << 32) - 1);
        Assert.Equal(1UL << 31, low.Size);
        Assert.Equal(0UL, default(BridgeWindow).Size);
        Assert.False(WindowPlan.CanEverFit(1UL << 30, low));
        Assert.True(WindowPlan.CanEverFit(1UL << 30, default));
        Assert.True(WindowPlan.CanEverFit(1UL << 30, new BridgeWindow(1UL << 32, (1UL << 33) - 1)));
        Assert.False(WindowPlan.CanEverFit(1UL << 33, new BridgeWindow(1UL << 32, (1UL << 33) - 1)));
    }
}
