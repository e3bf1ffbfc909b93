// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using VhostPci.Device.Common;
using VhostPci.Device.Devices;
using VhostPci.Device.Origins;
using VhostPci.Protocol;

namespace VhostPci.Device.Server;

/// <summary>Which device an origin gets.</summary>
public sealed partial class VhostPciServer
{
    /// <summary>Makes a device that is there from the start; the host attaches to it next.</summary>
    public bool TryCreateStatic(StaticConfig config, out MirrorDevice? device, out string error)
    {
        ArgumentNullException.ThrowIfNull(config);
        device = null;
        ulong size = config.WindowSize == 0 ? Config.SlotSize : config.WindowSize;
        if (size < BridgePlanner.MinimumSlotSize || !ulong.IsPow2(size) || size > 1UL << ((int)Config.PhysBits - 1))
        {
            error = string.Create(
                CultureInfo.InvariantCulture,
                $"window-size={Bytes.Format(size)} must be a power of two, at least 4 GiB, and at most half of the {Config.PhysBits} physical address bits")
                + " of the CPU: a window below 4 GiB gets uncached from the x86 MTRRs";
            return false;
        }

        if (config.QueuePairs is < 1 or > GuestAbi.MaxQueuePairs)
        {
            error = string.Create(CultureInfo.InvariantCulture, $"queues={config.QueuePairs} must be between 1 and {GuestAbi.MaxQueuePairs}");
            return false;
        }

        if (config.Mac.IsMulticast)
        {
            error = $"mac={config.Mac} is a group address";
            return false;
        }

        if (!_slots.TryTakeAt(config.Bus, config.Slot, size, out SlotPlace? place))
        {
            error = string.Create(CultureInfo.InvariantCulture, $"slot {config.Slot} of bus {config.Bus} is in use");
            return false;
        }

        error = string.Empty;
        string id = config.Id ?? string.Create(CultureInfo.InvariantCulture, $"{Config.Id}.static{_lastStatic++}");
        try
        {
            device = new MirrorDevice(_host, _windows, this, Logger, _class, new DeviceIdentity(id, place, 0, default), size, 2 * config.QueuePairs, config);
            _devices.Add(device);
        }
        finally
        {
            if (device is null && place is { } taken)
            {
                _slots.Free(taken, size);
            }
        }

        return true;
    }

    void IDeviceOwner.OnVacated(MirrorDevice device) => RetryAll();

    void IDeviceOwner.OnDetached(MirrorDevice device)
    {
        if (device.Identity.Place is { } place)
        {
            _slots.Free(place, device.WindowSize);
        }
    }

    void IDeviceOwner.OnReleased(MirrorDevice device)
    {
        _devices.Remove(device);
        RetryAll();
    }

    /// <summary>Finds a device for a connection: the one that it had, a static one, or a new one.</summary>
    /// <param name="connection">Who needs it.</param>
    /// <param name="memoryEnd">What its window must show.</param>
    /// <param name="device">The device, when the result is <see cref="PlugResult.Plugged"/>.</param>
    /// <param name="windowSize">Bytes of its window, or of the one that it will get.</param>
    /// <param name="error">Why it is refused.</param>
    internal PlugResult TryGetDevice(Connection connection, ulong memoryEnd, out MirrorDevice? device, out ulong windowSize, out string error)
    {
        device = FindFormer(connection, memoryEnd) ?? FindStatic(connection, memoryEnd);
        if (device is not null)
        {
            windowSize = device.WindowSize;
            error = string.Empty;
            device.Adopt(connection, connection.Id, connection.Peer, connection.Key);
            return PlugResult.Plugged;
        }

        if (!Config.HasBridge)
        {
            return RefuseOrWait(memoryEnd, mine: null, out windowSize, out error);
        }

        return WindowPlan.TryGetSize(memoryEnd, Config.SlotSize, _slots.LargestWindow, out windowSize, out error)
            ? TryCreateDevice(connection, windowSize, out device, out error)
            : PlugResult.Refused;
    }

    /// <summary>Whether a connection could get a device, or could wait for one; changes nothing. Only the host can still fail then.</summary>
    /// <param name="connection">Who needs it; a device that it has, and that is too small, is to go.</param>
    /// <param name="memoryEnd">What its window must show.</param>
    /// <param name="windowSize">Bytes of the window that it would get.</param>
    internal Verdict CheckDevice(Connection connection, ulong memoryEnd, out ulong windowSize)
    {
        if ((FindFormer(connection, memoryEnd) ?? FindStatic(connection, memoryEnd)) is { } device)
        {
            windowSize = device.WindowSize;
            return Verdict.Ok;
        }

        string error;
        if (!Config.HasBridge)
        {
            PlugResult result = RefuseOrWait(memoryEnd, mine: connection.Device, out windowSize, out error);
            return result == PlugResult.Wait ? Verdict.Ok : Verdict.Refuse(error);
        }

        if (!WindowPlan.TryGetSize(memoryEnd, Config.SlotSize, _slots.LargestWindow, out windowSize, out error))
        {
            return Verdict.Refuse(error);
        }

        switch (TryTakePlace(connection, windowSize, connection.Device, out SlotPlace place, out error))
        {
            case PlugResult.Plugged:
                _slots.Free(place, windowSize);
                return Verdict.Ok;
            case PlugResult.Wait:
                return Verdict.Ok;
            default:
                return Verdict.Refuse(error);
        }
    }

    /// <summary>Ends the first connection whose memory has lost pages.</summary>
    /// <param name="thoroughly">Also one where it takes an attempt to know.</param>
    internal bool CheckWindows(bool thoroughly) => _connections.ToArray().Any(connection => connection.Device?.CheckWindow(thoroughly) == true);

    private MirrorDevice? FindFormer(Connection connection, ulong memoryEnd)
    {
        if (connection.Key is not { } key)
        {
            return null;
        }

        return _devices.FirstOrDefault(device => device.IsFree && device.State == DeviceState.Away && device.Key == key && device.WindowSize >= memoryEnd
            && device.RingCount >= connection.RingCount);
    }

    /// <summary>The first in order of definition that waits for this name, or else for any.</summary>
    private MirrorDevice? FindStatic(Connection connection, ulong memoryEnd)
    {
        MirrorDevice? any = null;
        foreach (MirrorDevice device in _devices)
        {
            if (!device.IsFree || device.Static is not { } config || (config.PeerName is not null && config.PeerName != connection.Name))
            {
                continue;
            }

            if (device.WindowSize < memoryEnd)
            {
                if (!device.HasWarnedOfMisfit && _users[connection.Peer.Uid].Lines.TryTake(out _))
                {
                    // Once until it has an origin, however often this one comes back.
                    device.HasWarnedOfMisfit = true;
                    ServerLog.StaticTooSmall(
                        Logger, device.Identity.Id, Bytes.Format(device.WindowSize), connection.Name, connection.Peer.Pid, connection.Peer.Uid, memoryEnd);
                }

                continue;
            }

            if (device.RingCount < connection.RingCount)
            {
                if (!device.HasWarnedOfMisfit && _users[connection.Peer.Uid].Lines.TryTake(out _))
                {
                    device.HasWarnedOfMisfit = true;
                    ServerLog.StaticTooFewQueues(
                        Logger, device.Identity.Id, device.RingCount / 2, connection.Name, connection.Peer.Pid, connection.Peer.Uid, connection.RingCount / 2);
                }

                continue;
            }

            if (config.PeerName is not null)
            {
                return device;
            }

            any ??= device;
        }

        return any;
    }

    private PlugResult TryCreateDevice(Connection connection, ulong windowSize, out MirrorDevice? device, out string error)
    {
        device = null;
        error = string.Empty;
        if (!IsInTime(connection))
        {
            return PlugResult.Wait;
        }

        // What it had does not suit it any more, and has the address that its new one gets.
        foreach (MirrorDevice former in _devices.Where(other => other.IsFree && other.State == DeviceState.Away && other.Key is not null && other.Key == connection.Key).ToArray())
        {
            former.Unplug();
        }

        PlugResult result = TryTakePlace(connection, windowSize, leaving: null, out SlotPlace place, out error);
        if (result == PlugResult.Wait)
        {
            // Whoever is here now comes before those who may return.
            MakeRoom(connection);

            // Once until something becomes free, however often origins come back.
            if (!_saidWaiting && _users[connection.Peer.Uid].Lines.TryTake(out _))
            {
                _saidWaiting = true;
                ServerLog.Waiting(Logger, Config.Id, connection.Peer.Pid, connection.Peer.Uid);
            }
        }

        if (result != PlugResult.Plugged)
        {
            return result;
        }

        if (!connection.HadDevice)
        {
            _ = _users[connection.Peer.Uid].Plugs?.TryTake(out _);
        }

        string id = connection.NextDeviceId(Config.Id);
        MirrorDevice? candidate = null;
        try
        {
            candidate = new MirrorDevice(
                _host, _windows, this, Logger, _class, new DeviceIdentity(id, place, connection.Id, connection.Peer), windowSize, connection.RingCount);
            _devices.Add(candidate);
        }
        finally
        {
            if (candidate is null)
            {
                _slots.Free(place, windowSize);
            }
        }

        if (!candidate.TryPlug(_bridge, connection, connection.Key, out error))
        {
            error = $"its device could not be plugged: {error}";
            return PlugResult.Refused;
        }

        if (IsWithoutWindow(candidate) && !_saidDenied)
        {
            // Once: the firmware treats all alike, and only another start of the VM changes it.
            _saidDenied = true;
            ServerLog.WindowDenied(Logger, id, connection.Peer.Pid, connection.Peer.Uid, _slots.DescribeRoom(place, windowSize));
        }

        device = candidate;
        return PlugResult.Plugged;
    }

    /// <summary>Takes its devices from a connection that ends: also one that it does not know of, because a fault came in between.</summary>
    internal void Abandon(Connection connection)
    {
        uint delay = UnplugDelay;
        AllSteps.RunFor(_devices.Where(device => device.Origin == connection), device => device.Abandon(delay));
    }

    private void RetryAll()
    {
        _saidWaiting = false;
        if (_destroyed)
        {
            return;
        }

        AllSteps.RunFor(_connections, static connection => connection.RetryPlug());
    }
}
