// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin;

/// <summary>Results of the ABI, as Linux numbers them.</summary>
internal static class Errno
{
    internal const int NoEntry = -2;
    internal const int IO = -5;
    internal const int NoMemory = -12;
    internal const int InvalidArgument = -22;
    internal const int Protocol = -71;
}
