// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Limits;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests;

/// <summary>Exceptions of our own at any place: what was under way ends, nothing else does, and nothing stays behind.</summary>
public sealed class FaultTests
{
    private const uint Alice = 1001;
    private const uint Bob = 1002;

    /// <summary>An origin's life with a fault at each of the calls to the host in turn, beside a neighbour.</summary>
    [Fact]
    public void A_fault_at_any_call_ends_one_origin_and_leaves_nothing()
    {
        int at = 1;
        while (Live(at))
        {
            at++;
        }

        Assert.InRange(at, 90, 1000);
    }

    [Fact]
    public void A_window_that_cannot_be_cleared_stops_neither_the_end_of_its_connection_nor_the_servers()
    {
        var windows = new FailingWindows();
        using var rig = new Rig(windows: windows);
        rig.Host.Caught = [];
        using FrontEnd neighbour = rig.Connect();
        neighbour.Start();
        FakeDevice near = rig.Bridge.Last;
        FrontEnd origin = rig.Connect();
        origin.Start(name: "two", lastOfMac: 2);
        windows.ClearFails = 1;
        origin.Dispose();
        Assert.Contains("cannot withdraw memory", Assert.Single(rig.Host.Caught).Message, StringComparison.Ordinal);
        Assert.Single(rig.Server.Connections);
        Assert.False(rig.Bridge.Last.Link);
        Assert.True(near.Link);
        _ = neighbour.Ask(RequestCode.GetFeatures);

        windows.ClearFails = 1;
        Assert.Throws<InvalidOperationException>(() => rig.Library.Destroy(rig.Server));
        Assert.Empty(rig.Server.Connections);
        foreach (FakeDevice device in rig.Bridge.Devices)
        {
            device.Remove();
        }

        Assert.Equal(0, rig.Host.Reactors);
        Assert.Equal(0, rig.Host.Watches);
        Assert.Equal(0, rig.Host.Timers);
    }

    [Fact]
    public void What_could_not_be_cleared_is_cleared_before_the_next_origin_is_shown()
    {
        var windows = new FailingWindows();
        using var rig = new Rig(windows: windows, change: static config => config with { UnplugDelay = 3 });
        rig.Host.Caught = [];
        FrontEnd first = rig.Connect();
        first.Start();
        windows.ClearFails = 1;
        first.Dispose();
        Assert.Equal(FrontEnd.MemorySize, rig.Bridge.Last.Device.MappedBytes);
        using FrontEnd second = rig.Connect();
        second.Start();
        Assert.Single(rig.Bridge.Devices);
        Assert.True(rig.Bridge.Last.Link);
        Assert.Equal(FrontEnd.MemorySize, rig.Bridge.Last.Device.MappedBytes);
    }

    [Fact]
    public void A_server_whose_accept_failed_pauses_and_listens_again()
    {
        using var rig = new Rig();
        rig.Host.Caught = [];
        rig.Listener.Throws = 1;
        using FrontEnd origin = rig.Connect();
        rig.Host.Pump();
        Assert.Equal("accepting failed", Assert.Single(rig.Host.Caught).Message);
        Assert.Equal(0, rig.Host.Watches);
        rig.Host.Advance(Budgets.AcceptPause);
        Assert.Equal(VirtioNetFeatures.Offered, origin.Ask(RequestCode.GetFeatures));
    }

    [Fact]
    public void A_plug_that_throws_gives_the_slot_back()
    {
        using var rig = new Rig(connections: 1, slots: 1);
        rig.Host.Caught = [];
        using (FrontEnd origin = rig.Connect())
        {
            origin.Negotiate();
            rig.Bridge.Plan = new FaultPlan(1);
            origin.SendInfo();
            Assert.True(origin.IsClosed);
        }

        Assert.Empty(rig.Server.Devices);
        rig.Bridge.Plan = null;
        using FrontEnd next = rig.Connect();
        next.Start();
        Assert.True(rig.Bridge.Last.Link);
    }

    private static bool Live(int at)
    {
        var windows = new FailingWindows();
        using var rig = new Rig(slots: 4, windows: windows, change: static config => config with { UnplugDelay = 1, AllowUid = $"{Alice}:{Bob}" });
        FakeHost host = rig.Host;
        host.Caught = [];
        FrontEnd neighbour = rig.Connect(Alice);
        neighbour.Start();
        FakeDevice near = rig.Bridge.Last;
        near.StartDriver();
        near.Acknowledge(near.Epoch);
        host.Pump();

        var plan = new FaultPlan(at);
        (host.Plan, windows.Plan, rig.Bridge.Plan) = (plan, plan, plan);
        FrontEnd origin = rig.Connect(Alice);
        origin.Send(RequestCode.SetProtocolFeatures, ProtocolFeatures.Offered);
        origin.SendInfo(name: "two", lastOfMac: 2);
        origin.Run();
        FakeDevice? device = rig.Bridge.Devices.Count > 1 ? rig.Bridge.Last : null;
        host.Call(() => device?.StartDriver());
        origin.SendState(RequestCode.SetVringEnable, 0, 0);
        origin.SendState(RequestCode.SetVringEnable, 0, 1);
        host.Call(() => device?.Acknowledge(device.Epoch));
        origin.Send(RequestCode.NetSetMtu, 9000);
        origin.SendFile(RequestCode.SetVringKick, 0, origin.NewEvent());
        origin.SendMemory();
        host.Call(() => device?.ResetDriver());
        origin.Dispose();
        host.Advance(1000);
        Assert.True(rig.Server.Devices.All(other => other == near.Device || other.State == Devices.DeviceState.Leaving), $"a device stays after fault {at}");
        host.Call(() => device?.Remove());
        host.Pump();
        bool thrown = plan.HasThrown;
        if (thrown)
        {
            Assert.Contains(host.Caught, exception => exception.Message == $"fault {at}");
        }

        // The neighbour has felt nothing, another comes, and nothing of the first is left.
        (host.Plan, windows.Plan, rig.Bridge.Plan) = (null, null, null);
        host.Advance(Budgets.AcceptPause);
        Assert.True(near.Link, $"the neighbour's link is down after fault {at}");
        Assert.Equal(VirtioNetFeatures.Offered, neighbour.Ask(RequestCode.GetFeatures));
        using (FrontEnd next = rig.Connect(Bob))
        {
            next.Start(name: "three", lastOfMac: 3);
            Assert.True(rig.Bridge.Last.Link, $"the next origin has no link after fault {at}");
        }

        neighbour.Dispose();
        Assert.True(Record.Exception(rig.AssertNothingLeft) is null, $"something is left after fault {at}: {host.Caught.FirstOrDefault()}");

        // Every slot is there for somebody.
        FrontEnd[] all = [.. new[] { Alice, Alice, Alice, Bob }.Select(user => rig.Connect(user))];
        for (byte i = 0; i < all.Length; i++)
        {
            all[i].Start(name: $"all{i}", lastOfMac: (byte)(10 + i));
            Assert.True(!all[i].IsClosed && rig.Bridge.Last.Link, $"slot {i} of {all.Length} is lost after fault {at}");
        }

        Array.ForEach(all, static one => one.Dispose());
        return thrown;
    }
}
