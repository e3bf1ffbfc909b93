// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>Makes packed rings tell where they stand, before the mirror's driver sees them.</summary>
internal static class PackedRings
{
    /// <summary>Corrects the slots that say something else than what the front-end has told. The origin's driver may be filling the ring meanwhile.</summary>
    internal static void Clean(IWindow window, Ring ring, ulong features)
    {
        // A ring that has run since was left by a mirror's driver, so it tells; and further than what was told.
        if ((features & VirtioFeatures.RingPacked) == 0 || ring.HasRun || !ring.HasBase)
        {
            return;
        }

        for (int slot = 0; slot < ring.Size; slot++)
        {
            ulong at = ring.Placement.Desc + ((ulong)slot * PackedRing.DescriptorSize) + PackedRing.FlagsOffset;
            ushort flags = window.ReadUInt16(at);
            ushort clean = PackedRing.Clean(flags, slot, ring.Position);
            if (clean != flags)
            {
                // If it has changed, the origin's driver has just made it available, and then it is right.
                _ = window.TryReplaceUInt16(at, flags, clean);
            }
        }
    }
}
