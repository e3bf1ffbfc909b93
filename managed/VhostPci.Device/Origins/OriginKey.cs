// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>Identifies a returning origin: what it said of itself, and the user that the kernel vouches for.</summary>
/// <remarks>The process may be another one: a restarted QEMU is the same origin.</remarks>
internal sealed record OriginKey(uint Uid, string Name, MacAddress Mac, Guid Uuid)
{
    /// <summary>The key of an origin, or null if it has said too little to be told from others.</summary>
    internal static OriginKey? From(PeerCredentials peer, DeviceInfo? info)
        => info is { } known && (!known.Mac.IsZero || known.Uuid != Guid.Empty)
            ? new OriginKey(peer.Uid, known.Name, known.Mac, known.Uuid)
            : null;
}
