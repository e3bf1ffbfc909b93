// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>Reads from the origin's memory where a ring stands, without touching a mapping.</summary>
internal static class RingPosition
{
    /// <summary>For people: where the origin's driver and the mirror's driver are by now; 0 where that cannot be read.</summary>
    internal static (ushort Avail, ushort Used) Read(OriginMemory memory, Ring ring, bool isPacked)
    {
        if (!isPacked)
        {
            return (ReadIndex(memory, ring.Placement.Avail) ?? 0, ReadIndex(memory, ring.Placement.Used) ?? 0);
        }

        if (memory.TryReadFlags(ring.Placement.Desc, ring.Size) is not { } flags)
        {
            return default;
        }

        PackedPosition position = PackedRing.Find(flags, out _);
        PackedPosition end = position;
        for (int left = PackedRing.CountAvailable(flags, position); left > 0; left--)
        {
            end = PackedRing.Next(end, flags.Length);
        }

        return (end.Value, position.Value);
    }

    /// <summary>Finds where a ring that has stopped stands; of a packed ring, returns what was taken and not used.</summary>
    internal static bool TryTake(OriginMemory memory, Ring ring, bool isPacked, out uint position)
    {
        position = 0;
        if (!isPacked)
        {
            ushort? used = ReadIndex(memory, ring.Placement.Used);
            position = used ?? 0;
            return used is not null;
        }

        if (memory.TryReadFlags(ring.Placement.Desc, ring.Size) is not { } flags)
        {
            return false;
        }

        position = PackedRing.Find(flags, out SlotRange rest).ToWire();
        if (!rest.IsEmpty)
        {
            (uint, ushort)[] words = [.. rest.LastToFirst(flags.Length).Select(
                slot => ((uint)((slot * PackedRing.DescriptorSize) + PackedRing.FlagsOffset), PackedRing.Return(flags[slot])))];

            // Where memory cannot be written to any more, nothing can be read again either.
            memory.TryWrite(ring.Placement.Desc, (ulong)flags.Length * PackedRing.DescriptorSize, words);
        }

        return true;
    }

    private static ushort? ReadIndex(OriginMemory memory, ulong area)
        => memory.TryReadUInt16(area + RingLayout.IndexOffset, out ushort index) ? index : null;
}
