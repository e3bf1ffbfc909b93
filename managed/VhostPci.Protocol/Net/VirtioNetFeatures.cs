// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Net;

/// <summary>Feature bits of a virtio-net device, as masks (virtio 1.2, 5.1.3).</summary>
public static class VirtioNetFeatures
{
    /// <summary>Bit 0: the device takes packets with a partial checksum.</summary>
    public const ulong Checksum = 1UL << 0;

    /// <summary>Bit 1: the driver takes packets with a partial checksum.</summary>
    public const ulong GuestChecksum = 1UL << 1;

    /// <summary>Bit 7: the driver takes TSOv4.</summary>
    public const ulong GuestTso4 = 1UL << 7;

    /// <summary>Bit 8: the driver takes TSOv6.</summary>
    public const ulong GuestTso6 = 1UL << 8;

    /// <summary>Bit 11: the device takes TSOv4.</summary>
    public const ulong HostTso4 = 1UL << 11;

    /// <summary>Bit 12: the device takes TSOv6.</summary>
    public const ulong HostTso6 = 1UL << 12;

    /// <summary>Bit 15: a received packet may span several buffers.</summary>
    public const ulong MergeableReceiveBuffers = 1UL << 15;

    /// <summary>Bit 22: several queue pairs; how many of them are used is the origin's control queue's affair.</summary>
    public const ulong MultiQueue = 1UL << 22;

    /// <summary>What the origin's driver can switch off and on while it runs (VIRTIO_NET_CTRL_GUEST_OFFLOADS).</summary>
    public const ulong GuestOffloads = GuestChecksum | GuestTso4 | GuestTso6;

    /// <summary>Takes away the bits that need another which is not there (virtio 1.2, 5.1.3.1).</summary>
    public static ulong Consistent(ulong features)
    {
        if ((features & Checksum) == 0)
            features &= ~(HostTso4 | HostTso6);
        if ((features & GuestChecksum) == 0)
            features &= ~(GuestTso4 | GuestTso6);
        return features;
    }

    /// <summary>All that the back-end offers in GET_FEATURES, as far as the mirror's driver accepts it.</summary>
    public const ulong Offered = MergeableReceiveBuffers | MultiQueue | Checksum | GuestChecksum | GuestTso4 | GuestTso6 | HostTso4 | HostTso6
        | VirtioFeatures.Version1 | VirtioFeatures.RingEventIndex | VirtioFeatures.RingIndirect | VirtioFeatures.RingPacked | VirtioFeatures.InOrder
        | VirtioFeatures.VhostUserProtocolFeatures;
}
