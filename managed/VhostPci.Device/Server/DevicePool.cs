// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Devices;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Protocol;
using static System.FormattableString;

namespace VhostPci.Device.Server;

/// <summary>A server's devices: makes them, and knows when their places are free again.</summary>
internal sealed class DevicePool(
    IHost host, IServerHost bridge, IWindowFactory windows, ServerConfig config, SlotMap slots, ILogger logger, List<MirrorDevice> devices, Action onPlaceFree)
    : IDeviceOwner
{
    private readonly Dictionary<DeviceClass, ulong> _accepted = [];
    private int _lastStatic;
    private bool _warnedNoWindow;

    /// <summary>What the guest drivers of a class have accepted last: a new origin is offered no more.</summary>
    internal ulong GetAccepted(DeviceClass deviceClass) => _accepted.GetValueOrDefault(deviceClass, ulong.MaxValue);

    /// <summary>The firmware has left its bus without a window.</summary>
    internal bool IsWithoutWindow(MirrorDevice device) => device.Identity.Place is { } place && bridge.GetWindow(place.Bus).IsDenied;

    /// <summary>Makes a device that is there from the start; the host attaches to it next.</summary>
    internal bool TryCreateStatic(StaticConfig options, DeviceClass deviceClass, out MirrorDevice? device, out string error)
    {
        device = null;
        ulong size = options.WindowSize == 0 ? config.SlotSize : options.WindowSize;
        if (size < BridgePlanner.MinimumSlotSize || !ulong.IsPow2(size) || size > 1UL << ((int)config.PhysBits - 1))
        {
            error = Invariant($"window-size={Bytes.Format(size)} must be a power of two, at least 4 GiB, and at most half of the {config.PhysBits} physical address bits")
                + " of the CPU: a window below 4 GiB gets uncached from the x86 MTRRs";
            return false;
        }

        if (options.QueuePairs is < 1 or > GuestAbi.MaxQueuePairs)
        {
            error = Invariant($"queues={options.QueuePairs} must be between 1 and {GuestAbi.MaxQueuePairs}");
            return false;
        }

        Verdict verdict = deviceClass.Check(options.Options);
        if (!verdict.IsOk)
        {
            error = verdict.Reason;
            return false;
        }

        if (!slots.TryTakeAt(options.Bus, options.Slot, size, out SlotPlace? place))
        {
            error = Invariant($"slot {options.Slot} of bus {options.Bus} is in use");
            return false;
        }

        error = string.Empty;
        string id = options.Id ?? Invariant($"{config.Id}.static{_lastStatic++}");
        device = Create(deviceClass, new DeviceIdentity(id, place, 0, default), size, options.QueuePairs * deviceClass.RingsPerGroup, options);
        return true;
    }

    /// <summary>Makes a device for an origin, in a place that has been taken for it, and plugs it.</summary>
    internal bool TryPlug(Connection connection, SlotPlace place, ulong windowSize, out MirrorDevice? device, out string error)
    {
        string id = connection.Claim.NextId();
        MirrorDevice made = Create(
            connection.Session.Class, new DeviceIdentity(id, place, connection.Id, connection.Peer), windowSize, connection.Session.RingCount, options: null);
        bool plugged = made.Occupancy.TryPlug(bridge, connection, connection.Key, out error);
        device = plugged ? made : null;
        if (plugged && IsWithoutWindow(made) && !_warnedNoWindow)
        {
            // Once: the firmware treats all alike, and only another start of the VM changes it.
            _warnedNoWindow = true;
            ServerLog.WindowDenied(logger, id, connection.Peer.Pid, connection.Peer.Uid, slots.DescribeRoom(place, windowSize));
        }

        return plugged;
    }

    /// <summary>Takes its devices from a connection that ends: also one that it does not know of, because a fault came in between.</summary>
    internal void VacateAll(Connection connection, uint unplugDelay)
        => AllSteps.RunFor(devices.Where(device => device.Origin == connection), device => device.Occupancy.Vacate(unplugDelay));

    void IDeviceOwner.OnVacated(MirrorDevice device) => onPlaceFree();

    void IDeviceOwner.OnAccepted(DeviceClass deviceClass, ulong features) => _accepted[deviceClass] = features;

    void IDeviceOwner.OnDetached(MirrorDevice device)
    {
        if (device.Identity.Place is { } place)
        {
            slots.Free(place, device.WindowSize);
        }
    }

    void IDeviceOwner.OnReleased(MirrorDevice device)
    {
        devices.Remove(device);
        onPlaceFree();
    }

    string IDeviceOwner.DescribeRoom(MirrorDevice device) => slots.DescribeRoom(device.Identity.Place, device.WindowSize);

    private MirrorDevice Create(DeviceClass deviceClass, DeviceIdentity identity, ulong windowSize, int rings, StaticConfig? options)
    {
        MirrorDevice? device = null;
        try
        {
            device = new MirrorDevice(host, windows, this, logger, deviceClass, identity, windowSize, rings, options);
            devices.Add(device);
            return device;
        }
        finally
        {
            if (device is null && identity.Place is { } taken)
            {
                slots.Free(taken, windowSize);
            }
        }
    }
}
