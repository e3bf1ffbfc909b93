// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Net;

/// <summary>Whose memory a device shows; stays known while the device outlives the connection.</summary>
/// <param name="Id">QEMU's id of the device.</param>
/// <param name="Slot">On the server's bridge; -1 for a device elsewhere.</param>
/// <param name="Connection">The connection that has or had it; 0 for none.</param>
/// <param name="Peer">Who was at its other end.</param>
/// <param name="Bus">The user's bus that it is on, alone; null for the bridge's own.</param>
internal sealed record DeviceIdentity(string Id, int Slot, ulong Connection, PeerCredentials Peer, string? Bus = null)
{
    /// <summary>PCI device number on its bus.</summary>
    internal int DeviceNumber => Bus is null ? Slot : 0;
}
