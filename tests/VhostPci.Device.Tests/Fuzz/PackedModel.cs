// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A packed ring in memory that may hold anything, as decision 0018 reads and writes it.</summary>
/// <param name="memory">Where it is.</param>
/// <param name="table">Offset of its descriptors there.</param>
/// <param name="size">Slots.</param>
internal sealed class PackedModel(Contents memory, ulong table, int size)
{
    private const ushort AvailableBit = 1 << 7;
    private const ushort UsedBit = 1 << 15;

    /// <summary>More slots than these are left half returned.</summary>
    private const int MostRest = 1024;

    /// <summary>Where the ring stands, as SET_VRING_BASE has it in each half, and the slots that a driver has not finished to return.</summary>
    internal (uint Position, int Left, int LeftCount) Find()
    {
        // Along the ring, the round before in front of it.
        var changes = new List<int>();
        bool before = !IsUsed(size - 1);
        for (int slot = 0; slot < size; slot++)
        {
            bool used = IsUsed(slot);
            if (used != before)
            {
                changes.Add(slot);
            }

            before = used;
        }

        if (changes.Count == 3)
        {
            for (int i = 0; i < 3; i++)
            {
                (int rest, int done, int end) = (changes[i], changes[(i + 1) % 3], changes[(i + 2) % 3]);
                int restCount = Distance(rest, done);
                if (restCount <= MostRest && Slots(rest, restCount).All(slot => IsAvailable(slot) != IsUsed(slot))
                    && Slots(done, Distance(done, end)).All(slot => IsAvailable(slot) == IsUsed(slot)))
                {
                    return (Position(end), rest, restCount);
                }
            }
        }

        return (Position(changes[0]), 0, 0);
    }

    internal void Return(int from, int count)
    {
        foreach (int slot in Slots(from, count))
        {
            Set(slot, available: !IsUsed(slot), used: !IsUsed(slot));
        }
    }

    /// <summary>Makes its USED bits change at this position and nowhere else.</summary>
    /// <returns>Whether they did not.</returns>
    internal bool Correct(uint position)
    {
        bool wrong = false;
        for (int slot = 0; slot < size; slot++)
        {
            // Returned in this round in front of it, in the round before behind.
            bool used = (slot < (position & 0x7fff)) == ((position & 0x8000) != 0);
            if (IsUsed(slot) != used)
            {
                wrong = true;
                Set(slot, used, used);
            }
        }

        return wrong;
    }

    /// <summary>The origin's driver makes buffers available, and the mirror's returns them, the last ones first.</summary>
    /// <param name="count">Slots made available.</param>
    /// <param name="returned">How many of them come back before somebody stops it.</param>
    internal void Use(int count, int returned)
    {
        uint position = Find().Position;
        int first = (int)(position & 0x7fff);
        for (int i = 0; i < count; i++)
        {
            bool wrap = ((position & 0x8000) != 0) == (first + i < size);
            Set((first + i) % size, available: wrap, used: (i >= count - returned) == wrap);
        }
    }

    private uint Position(int slot) => (uint)slot | (IsUsed(slot) ? 0U : 0x8000);

    private int Distance(int from, int to) => (to - from + size) % size;

    private IEnumerable<int> Slots(int from, int count) => Enumerable.Range(0, count).Select(i => (from + i) % size);

    private ulong Flags(int slot) => table + (16UL * (uint)slot) + 14;

    private bool IsUsed(int slot) => (memory[Flags(slot)] & UsedBit) != 0;

    private bool IsAvailable(int slot) => (memory[Flags(slot)] & AvailableBit) != 0;

    private void Set(int slot, bool available, bool used)
        => memory[Flags(slot)] = (ushort)((memory[Flags(slot)] & ~(AvailableBit | UsedBit)) | (available ? AvailableBit : 0) | (used ? UsedBit : 0));
}
