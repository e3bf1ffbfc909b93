// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Devices;
using VhostPci.Device.Limits;
using VhostPci.Device.Origins;
using static System.FormattableString;

namespace VhostPci.Device.Server;

/// <summary>Who may have one of the places that are left, when there are several users (ADR 0026).</summary>
internal sealed class FairShares(
    ServerConfig config, UidFilter uids, UserAccounts users, SlotMap slots, ILogger logger, List<Connection> connections, List<MirrorDevice> devices)
{
    /// <summary>Sees to it that a user can have one more connection, or says why not.</summary>
    internal bool TryFindRoom(uint uid, out string reason)
    {
        reason = string.Empty;
        int kept = KeptConnections(uid);
        int free = (int)config.Connections - connections.Count;
        if (free > kept)
        {
            return true;
        }

        reason = free > 0
            ? Invariant($"the last {free} of {config.Connections} connections are kept for other users of allow-uid= (raise connections=)")
            : Invariant($"all {config.Connections} connections are in use (raise connections=)");

        // One of the user's own, or of somebody who still has as many as this user then.
        int Count(uint user) => connections.Count(connection => connection.Peer.Uid == user);
        int own = Count(uid);
        Connection? idle = connections.FindLast(other => other.IsIdle && other.Peer.Uid == uid)
            ?? connections.FindLast(other => other.IsIdle && Count(other.Peer.Uid) > own + 1);
        idle?.MakeRoom();
        return idle is not null;
    }

    /// <summary>Unplugs one device whose origin is away, for an origin that is here: one of the same user, or else of the user who has most, if that is more.</summary>
    internal void MakeRoom(Connection connection)
    {
        if (connection.MadeRoom is { } asked && devices.Exists(device => device.Side == asked))
        {
            return;
        }

        uint uid = connection.Peer.Uid;
        int Count(uint user)
            => devices.Count(device => device.State != DeviceState.Leaving && device.Identity.Connection != 0 && device.Identity.Peer.Uid == user);
        int own = Count(uid);
        MirrorDevice[] away = [.. devices.Where(static device => device.IsFree && device.State == DeviceState.Away)];
        MirrorDevice? chosen = Array.Find(away, device => device.Identity.Peer.Uid == uid)
            ?? away.Where(device => Count(device.Identity.Peer.Uid) > own).MaxBy(device => Count(device.Identity.Peer.Uid));
        connection.MadeRoom = chosen?.Side;
        chosen?.Occupancy.Departure.Unplug();
    }

    /// <summary>Takes a place for a new device, or says why there is none.</summary>
    /// <param name="connection">Who needs it.</param>
    /// <param name="windowSize">Bytes of its window.</param>
    /// <param name="leaving">A device of its own that will leave; null without one.</param>
    /// <param name="place">The place, taken, when the result is <see cref="PlugResult.Plugged"/>.</param>
    /// <param name="error">Why it is refused.</param>
    internal PlugResult TryTakePlace(Connection connection, ulong windowSize, MirrorDevice? leaving, out SlotPlace place, out string error)
    {
        bool someLeave = leaving is { Static: null }
            || devices.Exists(static device => device.Identity.Place is not null && device.State is DeviceState.Leaving or DeviceState.Away);
        if (!slots.TryTake(windowSize, tight: !someLeave, out place, out bool hopeless, out error))
        {
            return someLeave && !hopeless ? PlugResult.Wait : PlugResult.Refused;
        }

        bool kept = false;
        try
        {
            kept = slots.HasRoomFor(KeptSlots(connection.Peer.Uid), config.SlotSize, tight: !someLeave);
        }
        finally
        {
            if (!kept)
            {
                slots.Free(place, windowSize);
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
    internal bool IsInTime(Connection connection)
    {
        if (connection.Claim.HadDevice || users[connection.Peer.Uid].Plugs is not { } plugs || plugs.HasOne(out TimeSpan wait))
        {
            return true;
        }

        if (!connection.Claim.IsWaiting && users[connection.Peer.Uid].Lines.TryTake(out _))
        {
            ServerLog.TooManyPlugs(logger, config.Id, connection.Peer.Pid, connection.Peer.Uid, (ulong)Math.Ceiling(wait.TotalSeconds), config.PlugRate);
        }

        connection.Claim.RetryIn(wait);
        return false;
    }

    /// <summary>Connections that a user must leave: one for each listed user that has none, once this one has.</summary>
    private int KeptConnections(uint uid)
    {
        bool Has(uint user) => connections.Exists(connection => connection.Peer.Uid == user);
        return Has(uid) ? Math.Min((uids.Uids ?? []).Distinct().Count(other => !Has(other)), Budgets.MostKept(config.Connections)) : 0;
    }

    /// <summary>Slots that a user must leave: one for each user, listed or connected, that has none, once this one has.</summary>
    private int KeptSlots(uint uid)
    {
        bool Has(uint user) => devices.Exists(device => device.Identity.Connection != 0 && device.Identity.Peer.Uid == user);
        IEnumerable<uint> all = (uids.Uids ?? []).Concat(connections.Select(static connection => connection.Peer.Uid)).Distinct();
        return Has(uid) ? Math.Min(all.Count(other => !Has(other)), Budgets.MostKept(config.Connections)) : 0;
    }
}
