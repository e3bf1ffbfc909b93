// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using VhostPci.Device.Devices;
using VhostPci.Device.Limits;
using VhostPci.Device.Origins;

namespace VhostPci.Device.Server;

/// <summary>Who may have one of the places that are left, when there are several users (ADR 0026).</summary>
public sealed partial class VhostPciServer
{
    /// <summary>Sees to it that a user can have one more connection, or says why not.</summary>
    private bool TryFindRoom(uint uid, out string reason)
    {
        reason = string.Empty;
        int kept = KeptConnections(uid);
        int free = (int)Config.Connections - _connections.Count;
        if (free > kept)
        {
            return true;
        }

        reason = free > 0
            ? Invariant($"the last {free} of {Config.Connections} connections are kept for other users of allow-uid= (raise connections=)")
            : Invariant($"all {Config.Connections} connections are in use (raise connections=)");

        // One of the user's own, or of somebody who still has as many as this user then.
        int Count(uint user) => _connections.Count(connection => connection.Peer.Uid == user);
        int own = Count(uid);
        Connection? idle = _connections.FindLast(other => other.IsIdle && other.Peer.Uid == uid)
            ?? _connections.FindLast(other => other.IsIdle && Count(other.Peer.Uid) > own + 1);
        idle?.MakeRoom();
        return idle is not null;
    }

    /// <summary>Asks the guest for one device whose origin is away, for somebody who is here: one of its user's own, or else of who has most and more than this user.</summary>
    private void MakeRoom(Connection connection)
    {
        if (connection.MadeRoom is { } asked && _devices.Contains(asked))
        {
            return;
        }

        uint uid = connection.Peer.Uid;
        int Count(uint user) => _devices.Count(device => device.State != DeviceState.Leaving && device.Identity.Connection != 0 && device.Identity.Peer.Uid == user);
        int own = Count(uid);
        MirrorDevice[] away = [.. _devices.Where(static device => device.IsFree && device.State == DeviceState.Away)];
        connection.MadeRoom = Array.Find(away, device => device.Identity.Peer.Uid == uid)
            ?? away.Where(device => Count(device.Identity.Peer.Uid) > own).MaxBy(device => Count(device.Identity.Peer.Uid));
        connection.MadeRoom?.Unplug();
    }

    /// <summary>Connections that a user must leave: one for each listed user that has none, once this one has.</summary>
    private int KeptConnections(uint uid)
    {
        bool Has(uint user) => _connections.Exists(connection => connection.Peer.Uid == user);
        return Has(uid) ? Math.Min((Uids.Uids ?? []).Distinct().Count(other => !Has(other)), Budgets.MostKept(Config.Connections)) : 0;
    }

    /// <summary>Slots that a user must leave: one for each user, listed or connected, that has none, once this one has.</summary>
    private int KeptSlots(uint uid)
    {
        bool Has(uint user) => _devices.Exists(device => device.Identity.Connection != 0 && device.Identity.Peer.Uid == user);
        IEnumerable<uint> users = (Uids.Uids ?? []).Concat(_connections.Select(static connection => connection.Peer.Uid)).Distinct();
        return Has(uid) ? Math.Min(users.Count(other => !Has(other)), Budgets.MostKept(Config.Connections)) : 0;
    }

    /// <summary>Takes a place for a new device, or says why there is none.</summary>
    /// <param name="connection">Who needs it.</param>
    /// <param name="windowSize">Bytes of its window.</param>
    /// <param name="leaving">A device of its own that will leave; null without one.</param>
    /// <param name="place">The place, taken, when the result is <see cref="PlugResult.Plugged"/>.</param>
    /// <param name="error">Why it is refused.</param>
    private PlugResult TryTakePlace(Connection connection, ulong windowSize, MirrorDevice? leaving, out SlotPlace place, out string error)
    {
        bool someLeave = leaving is { Static: null } || _devices.Exists(static device => device.Identity.Place is not null && device.State is DeviceState.Leaving or DeviceState.Away);
        if (!_slots.TryTake(windowSize, tight: !someLeave, out place, out bool hopeless, out error))
        {
            return someLeave && !hopeless ? PlugResult.Wait : PlugResult.Refused;
        }

        bool kept = false;
        try
        {
            kept = _slots.HasRoomFor(KeptSlots(connection.Peer.Uid), Config.SlotSize, tight: !someLeave);
        }
        finally
        {
            if (!kept)
            {
                _slots.Free(place, windowSize);
            }
        }

        if (!kept)
        {
            error = "the last slots are kept for other users (raise connections=)";
            return someLeave ? PlugResult.Wait : PlugResult.Refused;
        }

        return PlugResult.Plugged;
    }

    /// <summary>Whether the rate of its user's new devices lets a connection have one now; if not, it asks again when it may.</summary>
    /// <remarks>One in place of another costs nothing: a guest that gets more memory has no choice.</remarks>
    private bool IsInTime(Connection connection)
    {
        if (connection.HadDevice || _users[connection.Peer.Uid].Plugs is not { } plugs || plugs.HasOne(out TimeSpan wait))
        {
            return true;
        }

        if (!connection.IsWaitingForSlot && _users[connection.Peer.Uid].Lines.TryTake(out _))
        {
            ServerLog.TooManyPlugs(Logger, Config.Id, connection.Peer.Pid, connection.Peer.Uid, (ulong)Math.Ceiling(wait.TotalSeconds), Config.PlugRate);
        }

        connection.RetryPlugIn(wait);
        return false;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
