// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace VhostPci.Device.Clients;

internal static partial class ClientLog
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "vhost-pci-client of '{id}': connected to pid {pid} uid {uid}")]
    internal static partial void Connected(ILogger logger, string id, int pid, uint uid);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-client of '{id}': lost the server: {reason}{hidden}")]
    internal static partial void Lost(ILogger logger, string id, string reason, string hidden);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-client of '{id}': the link stays down: {reason}{hidden}")]
    internal static partial void Unusable(ILogger logger, string id, string reason, string hidden);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-client of '{id}': the mirror's driver does not accept {features}, which this VM's driver uses; the link "
        + "is down until this VM's driver has been reset and has chosen again: unbind and bind it, or reboot{hidden}")]
    internal static partial void NeedsReset(ILogger logger, string id, string features, string hidden);

    [LoggerMessage(Level = LogLevel.Error, Message = "vhost-pci-client of '{id}': {reason}{hidden}")]
    internal static partial void BadMemory(ILogger logger, string id, string reason, string hidden);
}
