// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Net;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Support;

/// <summary>A bridge whose devices are realized at once.</summary>
internal sealed class FakeBridge : IServerHost
{
    private readonly List<FakeDevice> _devices = [];

    internal Func<ulong, NetDevice?> Find { get; set; } = _ => null;

    internal string? Failure { get; set; }

    internal BridgeWindow Window { get; set; }

    internal IReadOnlyList<FakeDevice> Devices => _devices;

    internal FakeDevice Last => _devices[^1];

    public bool TryPlug(ulong device, int slot, string id, out string error)
    {
        error = Failure ?? string.Empty;
        if (Failure is not null)
        {
            return false;
        }

        return TryAttach(Find(device) ?? throw new InvalidOperationException("unknown device"), slot, id, out error);
    }

    internal bool TryAttach(NetDevice device, int slot, string id, out string error)
    {
        var fake = new FakeDevice(device, slot, id);
        if (!device.TryAttach(fake, out DevicePlan plan, out error))
        {
            return false;
        }

        fake.Plan = plan;
        _devices.Add(fake);
        device.Ready();
        return true;
    }

    public BridgeWindow GetWindow() => Window;
}
