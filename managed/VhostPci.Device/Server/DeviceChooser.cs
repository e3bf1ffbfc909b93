// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Common;
using VhostPci.Device.Devices;
using VhostPci.Device.Origins;
using VhostPci.Protocol;
using static System.FormattableString;

namespace VhostPci.Device.Server;

/// <summary>Which device an origin gets: the one that it had, a static one, or a new one.</summary>
internal sealed class DeviceChooser(ServerConfig config, SlotMap slots, FairShares shares, UserAccounts users, DevicePool pool, ILogger logger, List<MirrorDevice> devices)
{
    private bool _warnedWaiting;

    /// <summary>Something has become free: who waits then is worth another line.</summary>
    internal void OnPlaceFree() => _warnedWaiting = false;

    /// <summary>Finds a device for a connection.</summary>
    /// <param name="connection">Who needs it.</param>
    /// <param name="memoryEnd">What its window must show.</param>
    /// <param name="device">The device, when the result is <see cref="PlugResult.Plugged"/>.</param>
    /// <param name="windowSize">Bytes of its window, or of the one that it will get.</param>
    /// <param name="error">Why it is refused.</param>
    internal PlugResult TryGet(Connection connection, ulong memoryEnd, out MirrorDevice? device, out ulong windowSize, out string error)
    {
        device = FindFree(connection, memoryEnd);
        if (device is not null)
        {
            windowSize = device.WindowSize;
            error = string.Empty;
            device.Adopt(connection, connection.Id, connection.Peer, connection.Key);
            return PlugResult.Plugged;
        }

        if (!config.HasBridge)
        {
            return RefuseOrWait(memoryEnd, mine: null, out windowSize, out error);
        }

        return WindowPlan.TryGetSize(memoryEnd, config.SlotSize, slots.LargestWindow, out windowSize, out error)
            ? TryCreate(connection, windowSize, out device, out error)
            : PlugResult.Refused;
    }

    /// <summary>Whether a connection could get a device, or could wait for one; changes nothing. Only the host can still fail then.</summary>
    /// <param name="connection">Who needs it.</param>
    /// <param name="mine">The device that it has and that is too small, so that it will go; null without one.</param>
    /// <param name="memoryEnd">What its window must show.</param>
    /// <param name="windowSize">Bytes of the window that it would get.</param>
    internal Verdict Check(Connection connection, MirrorDevice? mine, ulong memoryEnd, out ulong windowSize)
    {
        if (FindFree(connection, memoryEnd) is { } device)
        {
            windowSize = device.WindowSize;
            return Verdict.Ok;
        }

        string error;
        if (!config.HasBridge)
        {
            PlugResult result = RefuseOrWait(memoryEnd, mine, out windowSize, out error);
            return result == PlugResult.Wait ? Verdict.Ok : Verdict.Refuse(error);
        }

        if (!WindowPlan.TryGetSize(memoryEnd, config.SlotSize, slots.LargestWindow, out windowSize, out error))
        {
            return Verdict.Refuse(error);
        }

        PlugResult taken = shares.TryTakePlace(connection, windowSize, mine, out SlotPlace place, out error);
        if (taken == PlugResult.Plugged)
        {
            slots.Free(place, windowSize);
        }

        return taken == PlugResult.Refused ? Verdict.Refuse(error) : Verdict.Ok;
    }

    private MirrorDevice? FindFree(Connection connection, ulong memoryEnd) => FindFormer(connection, memoryEnd) ?? FindStatic(connection, memoryEnd);

    private MirrorDevice? FindFormer(Connection connection, ulong memoryEnd)
        => connection.Key is { } key
            ? devices.Find(device => IsAwayFrom(device, key) && device.Class == connection.Session.Class
                && device.WindowSize >= memoryEnd && device.RingCount >= connection.Session.RingCount)
            : null;

    private static bool IsAwayFrom(MirrorDevice device, OriginKey key) => device.IsFree && device.State == DeviceState.Away && device.Occupancy.Key == key;

    /// <summary>The first in order of definition that waits for this name, or else for any.</summary>
    private MirrorDevice? FindStatic(Connection connection, ulong memoryEnd)
    {
        MirrorDevice? any = null;
        foreach (MirrorDevice device in devices)
        {
            if (!device.IsFree || device.Static is not { } options || device.Class != connection.Session.Class
                || (options.PeerName is not null && options.PeerName != connection.Name) || !IsLargeEnough(device, connection, memoryEnd))
            {
                continue;
            }

            if (options.PeerName is not null)
            {
                return device;
            }

            any ??= device;
        }

        return any;
    }

    /// <summary>Whether a static device suits a connection; if not, the user is told so once until it has an origin.</summary>
    private bool IsLargeEnough(MirrorDevice device, Connection connection, ulong memoryEnd)
    {
        bool isTooSmall = device.WindowSize < memoryEnd;
        if (!isTooSmall && device.RingCount >= connection.Session.RingCount)
        {
            return true;
        }

        if (!device.Occupancy.HasWarnedOfMisfit && users[connection.Peer.Uid].Lines.TryTake(out _))
        {
            device.Occupancy.HasWarnedOfMisfit = true;
            string id = device.Identity.Id;
            (int pid, uint uid, _) = connection.Peer;
            if (isTooSmall)
            {
                ServerLog.StaticTooSmall(logger, id, Bytes.Format(device.WindowSize), connection.Name, pid, uid, memoryEnd);
            }
            else
            {
                int perGroup = device.Class.RingsPerGroup;
                ServerLog.StaticTooFewQueues(logger, id, device.RingCount / perGroup, connection.Name, pid, uid, connection.Session.RingCount / perGroup);
            }
        }

        return false;
    }

    private PlugResult TryCreate(Connection connection, ulong windowSize, out MirrorDevice? device, out string error)
    {
        device = null;
        error = string.Empty;
        if (!shares.IsInTime(connection))
        {
            return PlugResult.Wait;
        }

        // What it had does not suit it any more, and has the address that its new one gets.
        if (connection.Key is { } key)
        {
            devices.FindAll(other => IsAwayFrom(other, key)).ForEach(static former => former.Occupancy.Departure.Unplug());
        }

        PlugResult result = shares.TryTakePlace(connection, windowSize, leaving: null, out SlotPlace place, out error);
        if (result == PlugResult.Wait)
        {
            // Whoever is here now comes before those who may return.
            shares.MakeRoom(connection);

            // Once until something becomes free, however often origins come back.
            if (!_warnedWaiting && users[connection.Peer.Uid].Lines.TryTake(out _))
            {
                _warnedWaiting = true;
                ServerLog.Waiting(logger, config.Id, connection.Peer.Pid, connection.Peer.Uid);
            }
        }

        if (result != PlugResult.Plugged)
        {
            return result;
        }

        if (!connection.Claim.HadDevice)
        {
            _ = users[connection.Peer.Uid].Plugs?.TryTake(out _);
        }

        if (pool.TryPlug(connection, place, windowSize, out device, out string reason))
        {
            return PlugResult.Plugged;
        }

        error = $"its device could not be plugged: {reason}";
        return PlugResult.Refused;
    }

    /// <summary>Only the one device that the socket belongs to could have taken it.</summary>
    private PlugResult RefuseOrWait(ulong memoryEnd, MirrorDevice? mine, out ulong windowSize, out string error)
    {
        MirrorDevice? only = devices.FirstOrDefault();
        windowSize = only?.WindowSize ?? 0;
        error = only is null || only == mine || only.IsFree
            ? Invariant($"it does not suit the device of this socket: memory up to 0x{memoryEnd:x} in a window of {Bytes.Format(windowSize)} (window-size=), queue pairs (queues=) or name (peer-name=)")
            : string.Empty;
        return error.Length == 0 ? PlugResult.Wait : PlugResult.Refused;
    }
}
