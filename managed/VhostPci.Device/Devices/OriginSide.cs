// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>A device as its origin sees it.</summary>
internal sealed class OriginSide(MirrorDevice device, DeviceLink link, DeviceStateMachine states, Occupancy occupancy) : IMirrorDevice
{
    public string Id => device.Identity.Id;

    public int Slot => device.Identity.Slot;

    public ulong WindowSize => device.WindowSize;

    public bool IsNew => occupancy.IsNew;

    public ConnectionState State => states.State switch
    {
        DeviceState.NoWindow => ConnectionState.NoWindow,
        DeviceState.Up => ConnectionState.Running,
        _ when link.IsWanted && device.Origin is { } origin && !link.Driver.Accepts(origin.Session.Features) => ConnectionState.WaitingForFeatures,
        DeviceState.Awaiting when link.IsWanted => ConnectionState.WaitingForDriver,
        _ => ConnectionState.Plugged,
    };

    public DevicePart Part => device.Part;

    public ulong Accepted => link.Driver.Accepted;

    public bool IsDriverLinkUp => link.Driver.IsLinkUp;

    public void Start() => link.Start();

    public void Extend() => link.Extend();

    public void Stop() => link.Stop();

    public bool TryShowMore(MemoryRegion region, IPeerFile file, out string error)
    {
        error = string.Empty;

        // With the link down it comes with the rest. What the driver uses does not change, so it is not told.
        return !link.IsUp || link.Memory.TryMap(region, file, out error);
    }

    public bool TryRebind(int ring, RingEndpoint endpoint)
        => !link.Rings.IsShown(ring) || device.Host is not { } host || device.Origin is not { } origin
        || link.Rings.TryRebind(ring, endpoint, origin.Session.GetRing(ring), host);

    public void Unbind(int ring, RingEndpoint endpoint)
    {
        if (link.Rings.IsShown(ring))
        {
            device.Host?.Bind(ring, endpoint, RingFiles.None);
        }
    }

    public void ChangePart() => link.Steps.Change();

    public void Vacate(uint unplugDelay) => occupancy.Vacate(unplugDelay);
}
