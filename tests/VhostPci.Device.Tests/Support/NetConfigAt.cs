// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests.Support;

/// <summary>Byte offsets in the whole configuration of a vhost-pci-net, where this version has them.</summary>
internal static class NetConfigAt
{
    internal const int Net = GuestAbi.Config.Size;
    internal const int Mac = Net + NetGuestAbi.Config.Mac;
    internal const int Mtu = Net + NetGuestAbi.Config.Mtu;
    internal const int OriginMac = Net + NetGuestAbi.Config.OriginMac;
    internal const int QueuePairs = Net + NetGuestAbi.Config.QueuePairs;
    internal const int Announce = Net + NetGuestAbi.Config.Announce;
    internal const int Rings = Net + NetGuestAbi.Config.Size;

    internal static int Size(int rings) => Rings + (rings * GuestAbi.Ring.Size);
}
