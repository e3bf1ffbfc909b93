// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;
using VhostPci.Device.Ports;
using VhostPci.Device.Server;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A bridge whose devices are realized at once, unless it fails.</summary>
internal sealed class FuzzBridge(IPorts ports) : IServerHost
{
    internal VhostPciServer? Server { get; set; }

    internal bool Fails { get; set; }

    /// <summary>All that were plugged, in order.</summary>
    internal List<FuzzDevice> Devices { get; } = [];

    public bool TryPlug(ulong device, string? bus, int slot, string id, out string error)
    {
        error = "the test says so";
        if (Fails)
        {
            return false;
        }

        MirrorDevice plugged = Server!.Devices.Single(candidate => candidate.Number == device);
        var fuzz = new FuzzDevice(ports, plugged);
        Assert.True(plugged.TryAttach(fuzz, out DevicePlan plan, out error), error);
        fuzz.Attach(plan);
        Devices.Add(fuzz);
        plugged.Ready();
        return true;
    }

    /// <summary>A device of the user's, realized with the server.</summary>
    internal void AddStatic(StaticConfig config)
    {
        Assert.True(Server!.TryCreateStatic(config, out MirrorDevice? made, out string error), error);
        var fuzz = new FuzzDevice(ports, made!);
        Assert.True(made!.TryAttach(fuzz, out DevicePlan plan, out error), error);
        fuzz.Attach(plan);
        Devices.Add(fuzz);
        made.Ready();
    }

    public BridgeWindow GetWindow(string? bus) => default;
}
