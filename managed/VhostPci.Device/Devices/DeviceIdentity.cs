// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using static System.FormattableString;

namespace VhostPci.Device.Devices;

/// <summary>Whose memory a device shows; stays known while the device outlives the connection.</summary>
/// <param name="Id">QEMU's id of the device.</param>
/// <param name="Place">Among the server's slots; null for a device elsewhere.</param>
/// <param name="Connection">The connection that has or had it; 0 for none.</param>
/// <param name="Peer">Who was at its other end.</param>
internal sealed record DeviceIdentity(string Id, SlotPlace? Place, ulong Connection, PeerCredentials Peer)
{
    /// <summary>PCI device number on its bus; -1 for a device elsewhere.</summary>
    internal int Slot => Place?.Device ?? -1;

    /// <summary>What its address is made from while no origin has told its own: a place that is taken again is the same interface.</summary>
    internal string Named => Place is { } place && Connection != 0 ? Invariant($"{place.Bus} {place.Device}") : Id;

    /// <summary>Its bus; null for the server's own, or for one elsewhere.</summary>
    internal string? Bus => Place?.Bus;
}
