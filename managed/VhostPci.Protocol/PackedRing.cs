// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol;

/// <summary>Reads from the flags of its descriptors where a packed ring stands (virtio 1.2, 2.8.1).</summary>
/// <remarks>
/// The USED bit of a slot changes when the slot is returned and at no other time. A mirror's driver returns all slots of a chain, so
/// along the ring the bit changes its value where the ring stands. See decision 0018.
/// </remarks>
public static class PackedRing
{
    /// <summary>Bytes of a descriptor.</summary>
    public const int DescriptorSize = 16;

    /// <summary>Where its flags are.</summary>
    public const int FlagsOffset = 14;

    /// <summary>In the flags: the wrap counter of the round in which the driver made it available.</summary>
    public const ushort Available = 1 << 7;

    /// <summary>In the flags: the wrap counter of the round in which it was returned.</summary>
    public const ushort Used = 1 << 15;

    /// <summary>Slots that a mirror's driver leaves half returned, at most: far more than a frame has buffers.</summary>
    public const int MaxRest = 1024;

    /// <summary>The flags in a table of whole descriptors.</summary>
    public static ushort[] GetFlags(ReadOnlySpan<byte> table)
    {
        ushort[] flags = new ushort[table.Length / DescriptorSize];
        for (int i = 0; i < flags.Length; i++)
            flags[i] = BinaryPrimitives.ReadUInt16LittleEndian(table[((i * DescriptorSize) + FlagsOffset)..]);
        return flags;
    }

    /// <summary>Finds the position.</summary>
    /// <param name="flags">The flags of all descriptors; at least one. Anything is allowed, for they are a peer's.</param>
    /// <param name="rest">
    /// Slots that are still to be returned, with <see cref="Return"/>, the last one first: the mirror was stopped while it returned
    /// several, which it does from the last to the first. Usually none; never more than <see cref="MaxRest"/>.
    /// </param>
    public static PackedPosition Find(ReadOnlySpan<ushort> flags, out SlotRange rest)
    {
        Span<int> changes = stackalloc int[3];
        int count = 0;
        rest = default;

        // What comes before slot 0 is the last slot, a round earlier.
        bool before = (flags[^1] & Used) == 0;
        for (int i = 0; i < flags.Length; i++)
        {
            bool used = (flags[i] & Used) != 0;
            if (used != before)
            {
                if (count < changes.Length)
                    changes[count] = i;
                count++;
            }

            before = used;
        }

        int slot = changes[0];
        for (int i = 0; count == 3 && i < 3; i++)
        {
            int begun = changes[(i + 1) % 3];
            int end = changes[(i + 2) % 3];
            if ((begun - changes[i] + flags.Length) % flags.Length <= MaxRest
                && AreAll(flags, changes[i], begun, returned: false) && AreAll(flags, begun, end, returned: true))
            {
                rest = new SlotRange(changes[i], begun);
                slot = end;
                break;
            }
        }

        return new PackedPosition((ushort)slot, (flags[slot] & Used) == 0);
    }

    /// <summary>The flags of a slot after its return.</summary>
    public static ushort Return(ushort flags)
        => (ushort)((flags & Used) != 0 ? flags & ~(Available | Used) : flags | Available | Used);

    /// <summary>What a slot must say before a mirror may have the ring at this position: that it was returned in the round before, if it says that it was in this one.</summary>
    /// <remarks>Other back-ends leave behind slots of chains, with the bits that the origin's driver had given them.</remarks>
    /// <returns>The flags as they are or as they must be.</returns>
    public static ushort Clean(ushort flags, int slot, PackedPosition position)
    {
        bool round = slot >= position.Slot ? position.Wrap : !position.Wrap;
        return ((flags & Used) != 0) == round ? Return(flags) : flags;
    }

    /// <summary>Counts the slots from a position on that the driver has made available.</summary>
    public static int CountAvailable(ReadOnlySpan<ushort> flags, PackedPosition position)
    {
        int count = 0;
        for (int slot = position.Slot; count < flags.Length; count++)
        {
            bool available = (flags[slot] & Available) != 0;
            if (available != position.Wrap || ((flags[slot] & Used) != 0) == available)
                break;
            position = Next(position, flags.Length);
            slot = position.Slot;
        }

        return count;
    }

    /// <summary>The position behind this one.</summary>
    public static PackedPosition Next(PackedPosition position, int entries)
        => position.Slot + 1 < entries ? position with { Slot = (ushort)(position.Slot + 1) } : new PackedPosition(0, !position.Wrap);

    private static bool AreAll(ReadOnlySpan<ushort> flags, int from, int to, bool returned)
    {
        for (int i = from; i != to; i = i + 1 < flags.Length ? i + 1 : 0)
        {
            bool same = ((flags[i] & Available) != 0) == ((flags[i] & Used) != 0);
            if (same != returned)
                return false;
        }

        return true;
    }
}
