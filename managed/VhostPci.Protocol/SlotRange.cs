// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Slots of a packed ring, perhaps across its end.</summary>
/// <param name="From">The first.</param>
/// <param name="To">The one behind the last; the same as the first when there is none.</param>
public readonly record struct SlotRange(int From, int To)
{
    /// <summary>Whether there is none.</summary>
    public bool IsEmpty => From == To;

    /// <summary>The slots from the last to the first, the order in which those of a chain are returned.</summary>
    /// <param name="entries">Of the ring.</param>
    public IEnumerable<int> LastToFirst(int entries)
    {
        for (int slot = To; slot != From;)
        {
            slot = slot == 0 ? entries - 1 : slot - 1;
            yield return slot;
        }
    }
}
