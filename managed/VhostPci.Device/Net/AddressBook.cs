// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Net;

/// <summary>Who has which Ethernet address; over all servers, because the guest can join their devices in one bridge (ADR 0027).</summary>
internal sealed class AddressBook
{
    private readonly List<NetDevicePart> _devices = [];
    private readonly List<NetOriginPart> _origins = [];

    internal NetDevicePart Add(NetDevicePart device)
    {
        _devices.Add(device);
        return device;
    }

    internal NetOriginPart Add(NetOriginPart origin)
    {
        _origins.Add(origin);
        return origin;
    }

    internal void Remove(NetDevicePart device) => _devices.Remove(device);

    internal void Remove(NetOriginPart origin) => _origins.Remove(origin);

    /// <summary>Refuses an address of an origin's that an interface of the mirror has: the mirror could reach only one of the two.</summary>
    /// <param name="address">What the origin says is its own.</param>
    /// <param name="own">Its device, which may still get another address; null without one.</param>
    internal Verdict Check(MacAddress address, NetDevicePart? own)
        => _devices.Exists(device => device.Mac == address && !device.IsLeaving && (device != own || device.KeepsAddress))
            ? Verdict.Refuse($"{address} is the address of an interface of the mirror: give the origin another mac=")
            : Verdict.Ok;

    /// <summary>Makes the address of a device's interface from an origin's, or from what stands for it; nobody else has it.</summary>
    internal MacAddress Choose(NetDevicePart device, MacAddress origin)
    {
        int step = 0;
        while (IsTaken(origin.ToMirror(step), device))
        {
            step++;
        }

        return origin.ToMirror(step);
    }

    // A device that leaves counts no more: its origin's next one has the same address, though the guest may not have let go of the old one.
    private bool IsTaken(MacAddress address, NetDevicePart device)
        => _devices.Exists(other => other != device && !other.IsLeaving && (other.Mac == address || other.OriginMac == address))
        || _origins.Exists(origin => origin.FirstMac == address || origin.Mac == address);
}
