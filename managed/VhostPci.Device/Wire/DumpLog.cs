// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace VhostPci.Device.Wire;

internal static partial class DumpLog
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-server '{id}': the dump ends after {bytes} bytes: it is full, or the disk is")]
    internal static partial void Ended(ILogger logger, string id, int bytes);
}
