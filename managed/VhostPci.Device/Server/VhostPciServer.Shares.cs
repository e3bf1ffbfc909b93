// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using VhostPci.Device.Connections;
using VhostPci.Device.Net;

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

        // With places kept for others, one user's origins can only take each other's.
        Connection? idle = _connections.LastOrDefault(other => other.IsIdle && (kept == 0 || other.Peer.Uid == uid));
        idle?.MakeRoom();
        return idle is not null;
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
    private PlugResult TryTakePlace(Connection connection, ulong windowSize, NetDevice? leaving, out SlotPlace place, out string error)
    {
        bool someLeave = leaving is { Static: null } || _devices.Exists(static device => device.Identity.Place is not null && (device.IsLeaving || device.IsAway));
        if (!_slots.TryTake(windowSize, tight: !someLeave, out place, out bool hopeless, out error))
        {
            return someLeave && !hopeless ? PlugResult.Wait : PlugResult.Refused;
        }

        if (!_slots.HasRoomFor(KeptSlots(connection.Peer.Uid), Config.SlotSize, tight: !someLeave))
        {
            _slots.Free(place, windowSize);
            error = "the last slots are kept for other users (raise connections=)";
            return someLeave ? PlugResult.Wait : PlugResult.Refused;
        }

        if (_users[connection.Peer.Uid].Plugs is { } plugs && !plugs.HasOne(out TimeSpan wait))
        {
            _slots.Free(place, windowSize);
            error = Invariant($"its user's origins had too many new devices: the next in {Math.Ceiling(wait.TotalSeconds)} s (raise plug-rate=, which is {Config.PlugRate} a minute)");
            return PlugResult.Refused;
        }

        return PlugResult.Plugged;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
