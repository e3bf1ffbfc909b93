// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using VhostPci.Device.Classes;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Device.Ports;
using VhostPci.Device.Reporting;
using VhostPci.Device.Server;
using VhostPci.Linux.Memory;

namespace VhostPci.Device.Tests.Support;

/// <summary>A mirror's library with one server, over real sockets, memfds, eventfds and mappings.</summary>
internal sealed class Rig : IDisposable
{
    internal const ulong SlotSize = 4UL << 30;

    internal Rig(uint connections = 4, bool allowUnsealed = false, uint slots = 32, Func<ServerConfig, ServerConfig>? change = null, IDumpFile? dump = null, IWindowFactory? windows = null,
        IReadOnlyList<DeviceClass>? classes = null)
    {
        Library = new VhostPciLibrary(Host, windows ?? new WindowFactory(), Log, Host.Time, classes ?? [new NetClass()]);
        var config = new ServerConfig
        {
            Id = "srv",
            Connections = connections,
            SlotSize = SlotSize,
            MaxMemory = 1UL << 30,
            PhysBits = 40,
            AllowUnsealed = allowUnsealed,
            Slots = slots,
        };
        config = change?.Invoke(config) ?? config;
        Assert.True(Library.TryCreateServer(Bridge, Listener, config, out VhostPciServer? server, out string error, dump), error);
        Server = server!;
        Bridge.Find = number => Server.Devices.FirstOrDefault(device => device.Number == number);

        // What an earlier test left to the finalizers must not vanish while this one counts.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Baseline = Descriptors.Count();
    }

    internal FakeHost Host { get; } = new();

    internal LogList Log { get; } = new();

    internal FakeBridge Bridge { get; } = new();

    internal FakeListener Listener { get; } = new();

    internal VhostPciLibrary Library { get; }

    internal VhostPciServer Server { get; }

    internal int Baseline { get; }

    internal static RuntimeFacts Runtime => new("1", "coreclr", 2, 3, 4, 5);

    /// <summary>A device that is there from the start.</summary>
    internal FakeDevice AddStatic(StaticConfig config)
    {
        Assert.True(Server.TryCreateStatic(config, out MirrorDevice? device, out string error), error);
        Assert.True(Bridge.TryAttach(device!, config.Slot, device!.Identity.Id, out error), error);
        return Bridge.Last;
    }

    /// <summary>The peers of the report, as the monitor shows them.</summary>
    internal JsonElement[] Peers()
    {
        using JsonDocument document = JsonDocument.Parse(Library.ReportJson(Runtime));
        return [.. document.RootElement.Clone().GetProperty("servers")[0].GetProperty("peers").EnumerateArray()];
    }

    internal FrontEnd Connect(uint? uid = null) => new(Host, Listener.Connect(uid));

    /// <summary>All that a connection had is given back, except what the guest still holds.</summary>
    internal void AssertNothingLeft()
    {
        Host.Pump();
        foreach (FakeDevice device in Bridge.Devices)
        {
            device.Remove();
        }

        Assert.Empty(Server.Connections);
        Assert.Empty(Server.Devices);
        Assert.Equal(1, Host.Reactors);
        Assert.Equal(1, Host.Watches);
        Assert.Equal(0, Host.Timers);
        Assert.Equal(Baseline, Descriptors.Count());
    }

    public void Dispose()
    {
        Library.Destroy(Server);
        foreach (FakeDevice device in Bridge.Devices)
        {
            device.Remove();
        }
    }
}
