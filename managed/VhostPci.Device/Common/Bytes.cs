// SPDX-License-Identifier: GPL-2.0-or-later
using static System.FormattableString;


namespace VhostPci.Device.Common;

/// <summary>Byte counts as people write them.</summary>
public static class Bytes
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>In the largest unit that needs no fraction.</summary>
    public static string Format(UInt128 value)
    {
        int unit = 0;
        while (unit < Units.Length - 1 && value >= 1024 && value % 1024 == 0)
        {
            value /= 1024;
            unit++;
        }

        return Invariant($"{value} {Units[unit]}");
    }
}
