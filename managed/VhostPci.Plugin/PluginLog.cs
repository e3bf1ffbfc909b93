// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace VhostPci.Plugin;

internal static partial class PluginLog
{
    [LoggerMessage(Level = LogLevel.Error, Message = "vhost-pci: internal error in {entry}, please report it")]
    internal static partial void Fault(ILogger logger, string entry, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "vhost-pci: internal error in {entry}, please report it ({hidden} before were not shown)")]
    internal static partial void FaultAfterOthers(ILogger logger, string entry, ulong hidden, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "vhost-pci-client: the chardev's connection could not be duplicated (ulimit -n)")]
    internal static partial void NoChannel(ILogger logger);
}
