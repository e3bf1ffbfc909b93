// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Common;

namespace VhostPci.Device.Devices;

/// <summary>Where the guest has put a device's window. A driver that finds no window gives up, or does not notice.</summary>
/// <param name="logger">Where it is said.</param>
/// <param name="id">The device's.</param>
/// <param name="size">Bytes of the window.</param>
/// <param name="describeRoom">What address space the guest has there.</param>
internal sealed class WindowPlacement(ILogger logger, string id, ulong size, Func<string> describeRoom)
{
    internal const ulong NoAddress = ulong.MaxValue;

    private const ulong FourGibibytes = 1UL << 32;
    private const uint DriverOkOrFailed = 0x84;

    private bool _warnedNotPlaced;
    private bool _warnedTooLow;

    /// <summary>Whether a driver with this status has to do without the window.</summary>
    internal static bool IsMissing(uint status, ulong address) => (status & DriverOkOrFailed) != 0 && address is < FourGibibytes or NoAddress;

    /// <summary>Says each of the two once for a device: a guest can come here as often as it likes. The monitor shows the state at any time.</summary>
    internal void Warn(ulong address)
    {
        if (address == NoAddress && !_warnedNotPlaced)
        {
            _warnedNotPlaced = true;
            DeviceLog.WindowNotPlaced(logger, id, Bytes.Format(size), describeRoom());
        }
        else if (address != NoAddress && !_warnedTooLow)
        {
            _warnedTooLow = true;
            DeviceLog.WindowTooLow(logger, id, Bytes.Format(size), address);
        }
    }
}
