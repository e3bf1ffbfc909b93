// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Win32.SafeHandles;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Files;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests;

/// <summary>The origin's memory loses pages; and how often the host changes its tables.</summary>
public sealed class WindowFaultTests
{
    private const string Reason = "its memory has lost pages that this VM was using";

    [Fact]
    public void A_fault_ends_its_connection_and_no_other()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        using FrontEnd neighbour = rig.Connect();
        neighbour.Start();
        device.WindowFault = true;
        device.Device.OnWindowFault();
        Assert.True(origin.IsClosed);
        Assert.Contains(Reason, Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.Equal(0UL, device.Device.MappedBytes);
        Assert.False(neighbour.IsClosed);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void The_next_origin_is_not_blamed_for_what_was_before_it()
    {
        using var rig = new Rig(change: static config => config with { UnplugDelay = 3000 });
        FrontEnd first = rig.Connect();
        first.Start();
        FakeDevice device = rig.Bridge.Last;
        device.WindowFault = true;
        first.Dispose();
        using FrontEnd second = rig.Connect();
        second.Start();
        Assert.Same(device, Assert.Single(rig.Bridge.Devices));
        Assert.True(device.Link);
        device.Device.OnWindowFault();
        Assert.False(second.IsClosed);
        Assert.True(device.Link);
    }

    [Fact]
    public void Whose_file_is_too_short_is_found_without_an_address()
    {
        using var rig = new Rig(allowUnsealed: true);
        using FrontEnd neighbour = rig.Connect();
        neighbour.Start();
        using FrontEnd origin = rig.Connect();
        Descriptor memory = origin.NewMemory(sealShrink: false);
        origin.Negotiate();
        origin.SendTable((FrontEnd.Region, memory));
        origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
        origin.SendPair(0);
        Assert.True(rig.Bridge.Last.Link);
        Assert.False(rig.Library.CheckWindows());
        using (SafeFileHandle file = File.OpenHandle($"/proc/self/fd/{memory.Number}", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            RandomAccess.SetLength(file, 0);
        }

        Assert.True(rig.Library.CheckWindows());
        Assert.True(origin.IsClosed);
        Assert.Contains(Reason, Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.False(neighbour.IsClosed);
        Assert.False(rig.Library.CheckWindows());
    }

    [Fact]
    public void One_vCPUs_trouble_costs_one_connection_at_a_time()
    {
        var windows = new FailingWindows();
        using var rig = new Rig(windows: windows);
        using FrontEnd first = rig.Connect();
        first.Start();
        using FrontEnd second = rig.Connect();
        second.Start();
        Assert.False(rig.Library.CheckWindows());
        windows.PagesMissing = true;
        Assert.True(rig.Library.CheckWindows());
        Assert.True(first.IsClosed);
        Assert.False(second.IsClosed);
        Assert.Equal(1, windows.PageChecks);
        Assert.True(rig.Library.CheckWindows());
        Assert.True(second.IsClosed);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(32)]
    public void All_rings_are_bound_and_unbound_at_once(int pairs)
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendInfo(pairs: (ushort)pairs);
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        origin.Send(RequestCode.SetFeatures, FrontEnd.Features | VirtioNetFeatures.MultiQueue);
        origin.SendMemory();
        for (uint pair = 0; pair < pairs; pair++)
        {
            origin.SendPair(pair);
        }

        Assert.Equal(pairs, device.QueuePairs);
        origin.AskBase(0);
        Assert.False(device.Link);
        int before = device.BindCalls;
        for (uint ring = 1; ring < 2 * pairs; ring++)
        {
            origin.AskBase(ring);
        }

        Assert.Equal(before, device.BindCalls);
        for (uint pair = 0; pair < pairs; pair++)
        {
            origin.SendPair(pair);
        }

        Assert.Equal(before, device.BindCalls);
        device.Acknowledge(device.Epoch);
        Assert.Equal(pairs, device.QueuePairs);
        Assert.Equal(before + 1, device.BindCalls);
        origin.Dispose();
        rig.Host.Pump();
        Assert.Equal(before + 2, device.BindCalls);
    }
}
