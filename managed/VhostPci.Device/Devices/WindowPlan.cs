// SPDX-License-Identifier: GPL-2.0-or-later
using System.Numerics;
using VhostPci.Device.Common;
using VhostPci.Device.Ports;
using static System.FormattableString;

namespace VhostPci.Device.Devices;

/// <summary>How large a device's window is, and whether the bridge has room for it; pure.</summary>
internal static class WindowPlan
{
    /// <summary>Size for an origin whose memory ends at <paramref name="memoryEnd"/>.</summary>
    internal static bool TryGetSize(ulong memoryEnd, ulong slotSize, ulong reserved, out ulong size, out string error)
    {
        size = memoryEnd > slotSize ? BitOperations.RoundUpToPowerOf2(memoryEnd) : slotSize;
        if (size == 0 || size > reserved)
        {
            // RoundUpToPowerOf2 gives 0 when the power does not fit into 64 bits.
            error = Invariant($"its memory ends at 0x{memoryEnd:x}, which no window in the bridge's {Bytes.Format(reserved)} can show: raise slot-size= on the server");
            return false;
        }

        error = string.Empty;
        return true;
    }

    /// <summary>Whether a window of this size could ever fit, with nothing else in the bridge.</summary>
    internal static bool CanEverFit(ulong size, BridgeWindow window) => !window.IsProgrammed || (window.Base >= 1UL << 32 && window.Size >= size);

    /// <summary>Whether a window of this size fits beside those in use, in what the firmware gave; before it has run everything does.</summary>
    internal static bool Fits(ulong size, ulong inUse, BridgeWindow window)
        => !window.IsProgrammed || (window.Base >= 1UL << 32 && window.Size >= size && window.Size - size >= inUse);

    /// <summary>Why it does not.</summary>
    internal static string DescribeMisfit(ulong size, ulong inUse, ulong reserved, BridgeWindow window)
        => Invariant($"no window: firmware gave {Bytes.Format(window.Size)} of {Bytes.Format(reserved)} at 0x{window.Base:x}, ")
        + $"{Bytes.Format(inUse)} are in use and {Bytes.Format(size)} are needed above 4 GiB: lower connections= or raise slot-size= on the server";
}
