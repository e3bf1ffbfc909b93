// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Sizes and alignment of the three areas of a split virtqueue (virtio 1.2, 2.7).</summary>
/// <param name="Entries">Entries of the ring: <see cref="CheckEntries"/> has accepted it.</param>
/// <param name="EventIndex">Whether VIRTIO_F_RING_EVENT_IDX is in use: 2 bytes more in the avail and used areas.</param>
public readonly record struct RingLayout(uint Entries, bool EventIndex)
{
    /// <summary>The greatest number of entries.</summary>
    public const uint MaxEntries = 32768;

    /// <summary>The descriptor table starts at a multiple of this.</summary>
    public const uint DescAlignment = 16;

    /// <summary>The driver area starts at a multiple of this.</summary>
    public const uint AvailAlignment = 2;

    /// <summary>The device area starts at a multiple of this.</summary>
    public const uint UsedAlignment = 4;

    /// <summary>Byte offset of the running index in the driver area and in the device area.</summary>
    public const uint IndexOffset = 2;

    /// <summary>Bytes of the descriptor table.</summary>
    public ulong DescSize => 16UL * Entries;

    /// <summary>Bytes of the driver area.</summary>
    public ulong AvailSize => 4 + 2UL * Entries + (EventIndex ? 2UL : 0);

    /// <summary>Bytes of the device area.</summary>
    public ulong UsedSize => 4 + 8UL * Entries + (EventIndex ? 2UL : 0);

    /// <summary>Accepts a power of two from 1 to <see cref="MaxEntries"/>.</summary>
    public static Verdict CheckEntries(uint entries)
        => entries is > 0 and <= MaxEntries && ulong.IsPow2(entries)
            ? Verdict.Ok
            : Verdict.Refuse($"a ring of {entries} entries");
}
