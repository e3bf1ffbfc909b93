// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;
using VhostPci.Testing;

namespace VhostPci.Device.Tests;

/// <summary>When memory may appear and vanish (ADR 0003, ADR 0007).</summary>
public sealed class EpochTests
{
    [Fact]
    public void A_new_start_maps_nothing_before_the_withdrawal_is_acknowledged()
    {
        using Running run = new();
        uint before = run.Device.Epoch;
        run.Origin.AskBase(0);
        run.Origin.AskBase(1);
        uint withdrawn = run.Device.Epoch;
        Assert.NotEqual(before, withdrawn);
        run.Origin.Run();
        Assert.False(run.Device.Link);
        Assert.Equal(0UL, run.Device.Device.MappedBytes);

        run.Device.Acknowledge(withdrawn - 1);
        Assert.False(run.Device.Link);
        run.Device.Acknowledge(withdrawn + 1);
        Assert.False(run.Device.Link);
        Assert.Equal(withdrawn - 1, run.Device.Read32(GuestAbi.Config.Ack));

        run.Device.Acknowledge(withdrawn);
        Assert.True(run.Device.Link);
        Assert.Equal(FrontEnd.MemorySize, run.Device.Device.MappedBytes);
        Assert.Equal(0, run.Rig.Host.Timers);
    }

    [Fact]
    public void A_driver_that_is_reset_has_let_go()
    {
        using Running run = new();
        run.Origin.AskBase(0);
        run.Origin.AskBase(1);
        run.Origin.Run();
        Assert.False(run.Device.Link);
        run.Device.ResetDriver();
        Assert.True(run.Device.Link);
    }

    [Fact]
    public void Without_a_driver_nothing_is_waited_for()
    {
        using Running run = new(driver: false);
        Assert.True(run.Device.Link);
        run.Origin.AskBase(0);
        run.Origin.AskBase(1);
        Assert.False(run.Device.Link);
        run.Origin.Run();
        Assert.True(run.Device.Link);
    }

    [Fact]
    public void A_driver_that_does_not_acknowledge_is_reported_once()
    {
        using Running run = new();
        run.Origin.AskBase(0);
        run.Rig.Host.Advance(4999);
        Assert.Empty(run.Rig.Log.Warnings);
        run.Rig.Host.Advance(60_000);
        Assert.Contains("has not acknowledged epoch", Assert.Single(run.Rig.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_withdrawal_unbinds_then_clears_then_tells()
    {
        using Running run = new();
        run.Device.Events.Clear();
        run.Origin.AskBase(0);
        Assert.Equal(
            ["unbind 0 Kick mapped=1", "unbind 1 Kick mapped=1", "unbind 0 Call mapped=1", "unbind 1 Call mapped=1", "config link=0 mapped=0"],
            run.Device.Events);
    }

    [Fact]
    public void A_disconnect_withdraws_and_then_asks_for_the_device_until_it_gets_it()
    {
        using Running run = new();
        run.Device.Events.Clear();
        run.Origin.Dispose();
        Assert.Equal(["config link=0 mapped=0", "unplug"], run.Device.Events[^2..]);
        Assert.Equal(0, run.Device.Read32(NetConfigAt.Rings + GuestAbi.Ring.Entries) == 0 ? 0 : 1);
        run.Rig.Host.Advance(1000);
        Assert.Equal(2, run.Device.UnplugRequests);
        run.Rig.Host.Advance(2000);
        Assert.Equal(3, run.Device.UnplugRequests);
        run.Rig.Host.Advance(4000);
        Assert.Equal(4, run.Device.UnplugRequests);
        run.Rig.Host.Advance(10_000);
        Assert.Equal(6, run.Device.UnplugRequests);
        run.Rig.AssertNothingLeft();
    }

    [Fact]
    public void Get_vring_base_returns_the_used_index_after_the_withdrawal()
    {
        using Running run = new();
        run.Origin.Poke(FrontEnd.RingAddress(0) - FrontEnd.UserBase + 0x3002, 0xfff1);
        run.Origin.Poke(FrontEnd.RingAddress(1) - FrontEnd.UserBase + 0x3002, 7);
        Assert.Equal(new VringState(0, 0xfff1), run.Origin.AskBase(0));
        Assert.Equal(0UL, run.Device.Device.MappedBytes);
        Assert.Equal(new VringState(1, 7), run.Origin.AskBase(1));
    }

    [Fact]
    public void A_ring_that_never_ran_is_where_it_was_said_to_be()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendState(RequestCode.SetVringBase, 1, 42);
        Assert.Equal(42U, origin.AskBase(1).Value);
        Assert.Equal(0U, origin.AskBase(0).Value);
    }

    [Fact]
    public void A_new_memory_table_while_running_is_shown_after_the_acknowledgement()
    {
        using Running run = new();
        MemoryRegion second = new(1UL << 30, 0x10000, 0, 0);
        run.Origin.SendTable((FrontEnd.Region, run.Origin.Memory!), (second, run.Origin.NewMemory()));
        Assert.False(run.Device.Link);
        Assert.Equal(0UL, run.Device.Device.MappedBytes);
        run.Device.Acknowledge(run.Device.Epoch);
        Assert.True(run.Device.Link);
        Assert.Equal(FrontEnd.MemorySize + 0x10000, run.Device.Device.MappedBytes);
    }

    [Fact]
    public void Regions_come_and_go_while_running()
    {
        using Running run = new();
        MemoryRegion second = new(1UL << 30, 0x10000, 0, 0);
        uint epoch = run.Device.Epoch;
        run.Origin.SendSingle(RequestCode.AddMemoryRegion, second, run.Origin.NewMemory().Number);

        // More memory disturbs nobody; less is a withdrawal.
        Assert.True(run.Device.Link);
        Assert.Equal(epoch, run.Device.Epoch);
        Assert.Equal(FrontEnd.MemorySize + 0x10000, run.Device.Device.MappedBytes);
        run.Origin.SendSingle(RequestCode.RemoveMemoryRegion, second with { FileOffset = 0xdead }, run.Origin.NewMemory().Number);
        Assert.Equal(0UL, run.Device.Device.MappedBytes);
        run.Device.Acknowledge(run.Device.Epoch);
        Assert.True(run.Device.Link);
        Assert.Equal(FrontEnd.MemorySize, run.Device.Device.MappedBytes);
        Assert.Equal(8UL, run.Origin.Ask(RequestCode.GetMaxMemorySlots));
    }

    [Fact]
    public void A_region_that_comes_while_the_driver_has_not_let_go_comes_with_the_rest()
    {
        using Running run = new();
        MemoryRegion second = new(1UL << 30, 0x10000, 0, 0);
        run.Origin.SendTable((FrontEnd.Region, run.Origin.Memory!));
        run.Origin.SendSingle(RequestCode.AddMemoryRegion, second, run.Origin.NewMemory().Number);
        Assert.False(run.Device.Link);
        Assert.Equal(0UL, run.Device.Device.MappedBytes);
        run.Device.Acknowledge(run.Device.Epoch);
        Assert.True(run.Device.Link);
        Assert.Equal(FrontEnd.MemorySize + 0x10000, run.Device.Device.MappedBytes);
    }

    [Fact]
    public void A_region_that_overlaps_what_is_shown_ends_the_connection()
    {
        using Running run = new();
        MemoryRegion second = new(0x1000, 0x10000, 0, 0);
        run.Origin.SendSingle(RequestCode.AddMemoryRegion, second, run.Origin.NewMemory().Number);
        Assert.True(run.Origin.IsClosed);
        Assert.False(run.Device.Link);
        Assert.Equal(0UL, run.Device.Device.MappedBytes);
    }

    [Theory]
    [InlineData((uint)RequestCode.ResetDevice)]
    [InlineData((uint)RequestCode.ResetOwner)]
    public void A_reset_takes_everything_down(uint request)
    {
        using Running run = new();
        run.Origin.Send((RequestCode)request);
        Assert.False(run.Device.Link);
        Assert.Equal(0UL, run.Device.Device.MappedBytes);
        run.Device.Acknowledge(run.Device.Epoch);
        Assert.False(run.Device.Link);
        run.Origin.Run();
        Assert.True(run.Device.Link);
    }

    /// <summary>QEMU: after a stop it does not send the memory again that has not changed; the status goes to 0 before it asks for the positions.</summary>
    [Theory]
    [InlineData((uint)RequestCode.SetStatus)]
    [InlineData((uint)RequestCode.ResetDevice)]
    [InlineData((uint)RequestCode.ResetOwner)]
    public void A_reset_keeps_the_memory_table(uint request)
    {
        using Running run = new();
        run.Origin.Poke(FrontEnd.RingAddress(1) - FrontEnd.UserBase + 0x3002, 7);
        run.Origin.Send((RequestCode)request, request == (uint)RequestCode.SetStatus ? new byte[8] : []);
        Assert.False(run.Device.Link);
        Assert.Equal(0UL, run.Device.Device.MappedBytes);
        Assert.Equal(request == (uint)RequestCode.SetStatus ? 7U : 0U, run.Origin.AskBase(1).Value);
        run.Device.Acknowledge(run.Device.Epoch);
        run.Origin.SendState(RequestCode.SetVringEnable, 0, 1);
        run.Origin.SendState(RequestCode.SetVringEnable, 1, 1);
        Assert.False(run.Device.Link);
        run.Origin.SendRing(0);
        run.Origin.SendRing(1);
        Assert.True(run.Device.Link);
        Assert.Equal(FrontEnd.MemorySize, run.Device.Device.MappedBytes);
    }

    [Fact]
    public void A_new_kick_while_running_is_bound_instead_of_the_old_one()
    {
        using Running run = new();
        int descriptors = Descriptors.Count();
        uint epoch = run.Device.Epoch;
        int raised = run.Device.Raised[1];
        for (int i = 0; i < 100; i++)
        {
            using Linux.Files.Descriptor next = EventDescriptor.Create();
            run.Origin.SendFile(RequestCode.SetVringKick, 1, next);
            run.Origin.SendFile(RequestCode.SetVringCall, 1, next);
        }

        Assert.Equal(epoch, run.Device.Epoch);
        Assert.Equal(raised + 100, run.Device.Raised[1]);
        Assert.True(run.Device.Bound(1, RingEndpoint.Kick) >= 0);
        Assert.Equal(descriptors, Descriptors.Count());
        run.Origin.SendFile(RequestCode.SetVringCall, 1, null);
        Assert.Equal(-1, run.Device.Bound(1, RingEndpoint.Call));
        Assert.True(run.Device.Link);
        run.Origin.SendFile(RequestCode.SetVringKick, 1, null);
        Assert.False(run.Device.Link);
    }

    [Theory]
    [InlineData(FakeDevice.DriverOk, ulong.MaxValue, "has no room")]
    [InlineData(FakeDevice.DriverOk, 0x8000_0000UL, "below 4 GiB")]
    [InlineData(0x83, ulong.MaxValue, "has no room for the memory window (BAR 2, 4 GiB), the link stays down: the firmware gave its bus nothing of 20 GiB")]
    public void A_window_that_the_guest_could_not_place_keeps_the_link_down(uint status, ulong address, string reason)
    {
        using Running run = new(driver: false);
        run.Device.Device.SetStatus(3, address);
        Assert.Empty(run.Rig.Log.Warnings);
        run.Device.Device.SetStatus(status, address);
        run.Device.Device.SetStatus(status, address);
        Assert.Equal("no-window", run.Rig.Peers()[0].GetProperty("state").GetString());
        Assert.False(run.Device.Link);
        Assert.Equal(0UL, run.Device.Device.MappedBytes);
        Assert.Contains(reason, Assert.Single(run.Rig.Log.Warnings), StringComparison.Ordinal);
        run.Device.ResetDriver();
        run.Device.StartDriver();
    }

    [Fact]
    public void A_device_that_the_user_removes_closes_the_connection()
    {
        using Running run = new();
        run.Device.Remove();
        Assert.True(run.Origin.IsClosed);
        Assert.Contains("removed by the user or the guest", Assert.Single(run.Rig.Log.Warnings), StringComparison.Ordinal);
        run.Origin.Dispose();
        run.Rig.AssertNothingLeft();
    }

    [Fact]
    public void A_slot_is_free_again_when_the_device_is_gone_not_when_the_socket_is()
    {
        using var rig = new Rig(connections: 2, slots: 2);
        FrontEnd first = rig.Connect();
        first.Start();
        using FrontEnd second = rig.Connect();
        second.Start();
        Assert.Equal([1, 0], rig.Bridge.Devices.Select(device => device.Slot));
        first.Dispose();
        using FrontEnd third = rig.Connect();
        third.Start();
        Assert.Equal(2, rig.Bridge.Devices.Count);
        Assert.Contains("waits", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        rig.Bridge.Devices[0].Remove();
        Assert.Equal(3, rig.Bridge.Devices.Count);
        Assert.Equal(1, rig.Bridge.Last.Slot);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void Reading_the_configuration_allocates_nothing()
    {
        using Running run = new();
        MirrorDevice device = run.Device.Device;
        byte[] config = new byte[run.Device.Plan.ConfigSize];
        device.ReadConfig(config);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++)
        {
            device.ReadConfig(config);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Only_the_drivers_fields_can_be_written()
    {
        using Running run = new();
        byte[] before = run.Device.Config;
        byte[] junk = new byte[before.Length];
        Array.Fill(junk, (byte)0xff);
        run.Device.Device.WriteConfig(junk);
        run.Device.Device.WriteConfig(junk.AsSpan(0, 5));
        run.Device.Device.WriteConfig([]);
        byte[] after = run.Device.Config;
        foreach (byte[] config in new[] { before, after })
        {
            config.AsSpan(GuestAbi.Config.Ack, 4).Clear();
            config.AsSpan(GuestAbi.Config.Accept, 8).Clear();
            config.AsSpan(GuestAbi.Config.Driver, 4).Clear();
        }

        Assert.Equal(before, after);
    }

    private sealed class Running : IDisposable
    {
        internal Running(bool driver = true)
        {
            Origin = Rig.Connect();
            Origin.Negotiate();
            Origin.SendInfo();
            Device = Rig.Bridge.Last;
            if (driver)
            {
                Device.StartDriver();
            }

            Origin.Run();
            Assert.True(Device.Link);
        }

        internal Rig Rig { get; } = new();

        internal FrontEnd Origin { get; }

        internal FakeDevice Device { get; }

        public void Dispose()
        {
            Origin.Dispose();
            Rig.Dispose();
        }
    }
}
