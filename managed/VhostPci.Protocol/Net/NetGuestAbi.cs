// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Net;

/// <summary>vhost-pci-net's part of the guest ABI: <c>struct vhost_pci_net_config</c>, at the offset that the header names.</summary>
public static class NetGuestAbi
{
    /// <summary>virtio device id of vhost-pci-net.</summary>
    public const ushort DeviceId = 63;

    /// <summary>Byte offsets from the start of the part.</summary>
    public static class Config
    {
        /// <summary>6 bytes: address of the mirror's interface.</summary>
        public const int Mac = 0x00;

        /// <summary>u16: bytes; 0 when not known.</summary>
        public const int Mtu = 0x06;

        /// <summary>6 bytes: address of the origin's interface; zero when not known.</summary>
        public const int OriginMac = 0x08;

        /// <summary>u16: ring pairs in use; the flags in the ring table say which.</summary>
        public const int QueuePairs = 0x0e;

        /// <summary>u32: how often the origin has announced its address.</summary>
        public const int Announce = 0x10;

        /// <summary>Zero.</summary>
        public const int Reserved = 0x14;

        /// <summary>Bytes of the part.</summary>
        public const int Size = 0x20;
    }
}
