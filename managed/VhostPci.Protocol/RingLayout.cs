// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Sizes and alignment of the three areas of a virtqueue (virtio 1.2, 2.7 and 2.8).</summary>
/// <param name="Entries">Entries of the ring: <see cref="CheckEntries"/> has accepted it.</param>
/// <param name="EventIndex">Whether VIRTIO_F_RING_EVENT_IDX is in use: 2 bytes more in the avail and used areas of a split ring.</param>
/// <param name="Packed">Whether VIRTIO_F_RING_PACKED is in use: the driver and device areas then hold an event each.</param>
public readonly record struct RingLayout(uint Entries, bool EventIndex, bool Packed = false)
{
    /// <summary>The greatest number of entries.</summary>
    public const uint MaxEntries = 32768;

    /// <summary>The descriptor table starts at a multiple of this.</summary>
    public const uint DescAlignment = 16;

    /// <summary>The device area starts at a multiple of this.</summary>
    public const uint UsedAlignment = 4;

    /// <summary>Byte offset of the running index in the driver area and in the device area of a split ring.</summary>
    public const uint IndexOffset = 2;

    /// <summary>Bytes of a packed ring's driver area, and of its device area.</summary>
    public const uint EventSize = 4;

    private const uint SplitAvailAlignment = 2;
    private const uint EventAlignment = 4;

    /// <summary>The driver area starts at a multiple of this.</summary>
    public uint AvailAlignment => Packed ? EventAlignment : SplitAvailAlignment;

    /// <summary>Bytes of the descriptor table.</summary>
    public ulong DescSize => 16UL * Entries;

    /// <summary>Bytes of the driver area.</summary>
    public ulong AvailSize => Packed ? EventSize : 4 + (2UL * Entries) + (EventIndex ? 2UL : 0);

    /// <summary>Bytes of the device area.</summary>
    public ulong UsedSize => Packed ? EventSize : 4 + (8UL * Entries) + (EventIndex ? 2UL : 0);

    /// <summary>Accepts a number from 1 to <see cref="MaxEntries"/>, for a split ring a power of two.</summary>
    public static Verdict CheckEntries(uint entries, bool packed)
        => entries is > 0 and <= MaxEntries && (packed || ulong.IsPow2(entries))
            ? Verdict.Ok
            : Verdict.Refuse($"a {(packed ? "packed" : "split")} ring of {entries} entries");
}
