// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;
using VhostPci.Protocol;

namespace VhostPci.Device.Server;

/// <summary>Who has which Ethernet address; over all servers, because the guest can join their devices in one bridge.</summary>
public sealed partial class VhostPciServer
{
    /// <summary>Whether an interface of the mirror has this address.</summary>
    /// <param name="address">What an origin says is its own.</param>
    /// <param name="own">Its device, which may still get another address.</param>
    internal bool IsMirrorAddress(MacAddress address, MirrorDevice? own) => _servers.SelectMany(static server => server.Devices)
        .Any(device => device.Mac == address && !device.IsLeaving && (device != own || device.KeepsAddress));

    MacAddress IDeviceOwner.ChooseAddress(MirrorDevice device, MacAddress origin)
    {
        for (int step = 0; ; step++)
        {
            MacAddress address = origin.ToMirror(step);
            if (!IsTaken(address, device))
            {
                return address;
            }
        }
    }

    // A device that leaves counts no more: its origin's next one has the same address, though the guest may not have let go of the old one.
    private bool IsTaken(MacAddress address, MirrorDevice device) => _servers.Any(server =>
        server.Devices.Any(other => other != device && !other.IsLeaving && (other.Mac == address || other.OriginMac == address))
        || server.Connections.Any(connection => connection.Session.Info?.Mac == address || connection.Session.Mac == address));
}
