// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The numbers of a <see cref="Ring"/> at one moment.</summary>
internal readonly record struct RingFacts(uint Size, uint Base, bool HasBase, bool IsEnabled, VringAddress? Address, bool HasRun)
{
    /// <summary>Where a packed ring stands: the lower half of <see cref="Base"/>; the upper half is the same or 0.</summary>
    internal PackedPosition Position => PackedPosition.FromValue(unchecked((ushort)Base));

    internal RingLayout Layout(ulong features)
        => new(Size, (features & VirtioFeatures.RingEventIndex) != 0, (features & VirtioFeatures.RingPacked) != 0);
}
