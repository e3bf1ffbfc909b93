// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Slots of a packed ring, perhaps across its end.</summary>
/// <param name="From">The first.</param>
/// <param name="To">The one behind the last; the same as the first when there is none.</param>
public readonly record struct SlotRange(int From, int To)
{
    /// <summary>Whether there is none.</summary>
    public bool IsEmpty => From == To;
}
