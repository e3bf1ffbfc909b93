// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Support;

/// <summary>A bridge whose devices are realized at once.</summary>
internal sealed class FakeBridge : IServerHost
{
    private readonly List<FakeDevice> _devices = [];

    internal Func<ulong, MirrorDevice?> Find { get; set; } = _ => null;

    internal string? Failure { get; set; }

    internal FaultPlan? Plan { get; set; }

    /// <summary>No eventfd can be bound to the devices to come.</summary>
    internal bool BindFails { get; set; }

    internal BridgeWindow Window { get; set; }

    /// <summary>Windows of the user's own ports.</summary>
    internal Dictionary<string, BridgeWindow> Ports { get; } = [];

    /// <summary>Where each device was plugged.</summary>
    internal List<string?> Buses { get; } = [];

    internal IReadOnlyList<FakeDevice> Devices => _devices;

    internal FakeDevice Last => _devices[^1];

    public bool TryPlug(ulong device, string? bus, int slot, string id, out string error)
    {
        Plan?.Step();
        error = Failure ?? string.Empty;
        if (Failure is not null)
        {
            return false;
        }

        Buses.Add(bus);
        return TryAttach(Find(device) ?? throw new InvalidOperationException("unknown device"), slot, id, out error);
    }

    internal bool TryAttach(MirrorDevice device, int slot, string id, out string error)
    {
        var fake = new FakeDevice(device, slot, id) { BindFails = BindFails, Faults = Plan };
        if (!device.TryAttach(fake, out DevicePlan plan, out error))
        {
            return false;
        }

        fake.Plan = plan;
        _devices.Add(fake);
        device.Ready();
        return true;
    }

    public BridgeWindow GetWindow(string? bus)
    {
        Plan?.Step();
        return bus is not null && Ports.TryGetValue(bus, out BridgeWindow port) ? port : Window;
    }
}
