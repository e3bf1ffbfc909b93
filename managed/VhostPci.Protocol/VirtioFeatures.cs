// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Feature bits of any virtio device, as masks (virtio 1.2, 6), and the two that vhost and vhost-user have put among them.</summary>
public static class VirtioFeatures
{
    /// <summary>Bit 26: not virtio; vhost's dirty log for migration. Never offered.</summary>
    public const ulong LogAll = 1UL << 26;

    /// <summary>Bit 28: descriptors may point to tables of descriptors.</summary>
    public const ulong RingIndirect = 1UL << 28;

    /// <summary>Bit 29: used_event and avail_event are in use.</summary>
    public const ulong RingEventIndex = 1UL << 29;

    /// <summary>Bit 30: not virtio; vhost-user's sign that protocol features can be negotiated.</summary>
    public const ulong VhostUserProtocolFeatures = 1UL << 30;

    /// <summary>Bit 32: virtio 1.0 or later.</summary>
    public const ulong Version1 = 1UL << 32;

    /// <summary>Bit 34: packed rings.</summary>
    public const ulong RingPacked = 1UL << 34;

    /// <summary>Bit 35: buffers are returned in the order in which they were made available.</summary>
    public const ulong InOrder = 1UL << 35;
}
