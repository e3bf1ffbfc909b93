// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Net;

/// <summary>The origin's device is a virtio-net: its mirror is vhost-pci-net.</summary>
internal sealed class NetClass : DeviceClass
{
    internal override ushort VirtioId => NetGuestAbi.DeviceClass;

    /// <summary>A queue pair: 2n receives, 2n+1 transmits.</summary>
    internal override int RingsPerGroup => 2;

    internal override ulong Offered => VirtioNetFeatures.Offered;

    internal override int PartSize => NetGuestAbi.Config.Size;

    internal override ulong MakeConsistent(ulong features) => VirtioNetFeatures.Consistent(features);
}
