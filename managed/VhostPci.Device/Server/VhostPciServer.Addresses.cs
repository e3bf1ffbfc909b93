// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Protocol;

namespace VhostPci.Device.Server;

/// <summary>Who has which Ethernet address; over all servers, because the guest can join their devices in one bridge.</summary>
public sealed partial class VhostPciServer
{
    /// <summary>Whether an interface of the mirror has this address.</summary>
    /// <param name="address">What an origin says is its own.</param>
    /// <param name="own">Its device, which may still get another address.</param>
    internal bool IsMirrorAddress(MacAddress address, MirrorDevice? own) => _servers.SelectMany(static server => server.Devices)
        .Any(device => PartOf(device).Mac == address && device.State != DeviceState.Leaving && (device != own || PartOf(device).HasLastingAddress || device.IsUp));

    DevicePart IDeviceOwner.CreatePart(MirrorDevice device)
    {
        MacAddress mac = device.Static?.Mac ?? default;
        mac = mac.IsZero ? ChooseAddress(device, StableMac.FromName(device.Identity.Named)) : mac;
        return new NetDevicePart(mac, device.Static is not null, origin => ChooseAddress(device, origin));
    }

    private static NetDevicePart PartOf(MirrorDevice device) => (NetDevicePart)device.Part;

    private MacAddress ChooseAddress(MirrorDevice device, MacAddress origin)
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
        server.Devices.Any(other => other != device && other.State != DeviceState.Leaving && (PartOf(other).Mac == address || PartOf(other).OriginMac == address))
        || server.Connections.Any(connection => connection.Session.Info?.Mac == address || connection.Session.Mac == address));
}
