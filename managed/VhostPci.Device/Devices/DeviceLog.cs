// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace VhostPci.Device.Devices;

internal static partial class DeviceLog
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "vhost-pci-net '{id}': link up with {pairs} queue pairs, epoch {epoch}")]
    internal static partial void LinkUp(ILogger logger, string id, uint epoch, int pairs);

    [LoggerMessage(Level = LogLevel.Debug, Message = "vhost-pci-net '{id}': link down, epoch {epoch}")]
    internal static partial void LinkDown(ILogger logger, string id, uint epoch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-net '{id}': the guest's driver has not acknowledged epoch {epoch} (last: {ack}) for {seconds} s; "
        + "the link stays down until it does or the device is reset")]
    internal static partial void NotAcknowledged(ILogger logger, string id, uint epoch, uint ack, uint seconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "vhost-pci-net '{id}': the guest has no room for the memory window (BAR 2, {size}), the link stays down: {room}")]
    internal static partial void WindowNotPlaced(ILogger logger, string id, string size, string room);

    [LoggerMessage(Level = LogLevel.Error, Message = "vhost-pci-net '{id}': the guest put the memory window (BAR 2, {size}) at 0x{address:x}, below 4 GiB, where it is uncached; "
        + "the link stays down: use slot-size=4G or more and a 64-bit guest")]
    internal static partial void WindowTooLow(ILogger logger, string id, string size, ulong address);

    [LoggerMessage(Level = LogLevel.Debug, Message = "vhost-pci-net '{id}': unplug request {attempt} failed: {error}")]
    internal static partial void UnplugFailed(ILogger logger, string id, int attempt, string error);
}
