// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace VhostPci.Device.Origins;

internal static partial class OriginLog
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "vhost-pci-server '{id}': origin '{name}' (pid {pid} uid {uid}) is vhost-pci-net '{device}' in slot {slot}")]
    internal static partial void Plugged(ILogger logger, string id, string name, int pid, uint uid, string device, int slot);

    [LoggerMessage(Level = LogLevel.Debug, Message = "vhost-pci-server '{id}': origin '{name}' (pid {pid} uid {uid}) is back at '{device}'")]
    internal static partial void Adopted(ILogger logger, string id, string name, int pid, uint uid, string device);

    [LoggerMessage(Level = LogLevel.Debug, Message = "vhost-pci-server '{id}': the memory of pid {pid} uid {uid} has grown to 0x{end:x}, more than the window of {device} ({size}): it gets another device")]
    internal static partial void Outgrown(ILogger logger, string id, int pid, uint uid, ulong end, string device, string size);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-server '{id}': closed the connection of pid {pid} uid {uid}: its device was removed by the user or the guest")]
    internal static partial void DeviceRemoved(ILogger logger, string id, int pid, uint uid);
}
