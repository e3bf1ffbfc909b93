// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Net;

/// <summary>Whose memory a device shows; stays known while the device outlives the connection.</summary>
internal sealed record DeviceIdentity(string Id, int Slot, ulong Connection, PeerCredentials Peer);
