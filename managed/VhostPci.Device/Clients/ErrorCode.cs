// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Clients;

/// <summary>Results that cross the ABI, as Linux numbers them.</summary>
internal static class ErrorCode
{
    internal const int InvalidArgument = -22;
    internal const int BrokenPipe = -32;
    internal const int NotConnected = -107;
    internal const int TimedOut = -110;
}
