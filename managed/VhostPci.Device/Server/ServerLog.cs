// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace VhostPci.Device.Server;

internal static partial class ServerLog
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-server '{id}': refused pid {pid} uid {uid}: {reason}{hidden}")]
    internal static partial void Refused(ILogger logger, string id, int pid, uint uid, string reason, string hidden);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-server '{id}': no descriptor is free to accept a connection (ulimit -n); trying again")]
    internal static partial void OutOfDescriptors(ILogger logger, string id);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-server '{id}': accepts nobody for now: peers have sent descriptors that cannot be closed (stopped FUSE daemons, lingering sockets)")]
    internal static partial void TooManyClosing(ILogger logger, string id);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-net '{id}' (window {size}) cannot have origin '{name}' (pid {pid} uid {uid}), whose memory ends at 0x{end:x}: "
        + "raise window-size=")]
    internal static partial void StaticTooSmall(ILogger logger, string id, string size, string name, int pid, uint uid, ulong end);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-net '{id}': passed over for '{name}' (pid {pid} uid {uid}), which has {wanted} queue pairs: queues={queues} is too few")]
    internal static partial void StaticTooFewQueues(ILogger logger, string id, int queues, string name, int pid, uint uid, int wanted);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-net '{device}' (pid {pid} uid {uid}) has no window so far: {room}")]
    internal static partial void WindowDenied(ILogger logger, string device, int pid, uint uid, string room);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-server '{id}': pid {pid} uid {uid} waits: all slots are in use, and the guest has not let go of some yet")]
    internal static partial void Waiting(ILogger logger, string id, int pid, uint uid);

    [LoggerMessage(Level = LogLevel.Warning, Message = "vhost-pci-server '{id}': pid {pid} uid {uid} waits {seconds} s: its user's origins had too many new devices (raise plug-rate=, which is {rate} a minute)")]
    internal static partial void TooManyPlugs(ILogger logger, string id, int pid, uint uid, ulong seconds, uint rate);
}
