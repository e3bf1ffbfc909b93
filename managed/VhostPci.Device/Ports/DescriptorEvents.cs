// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>Readiness of a descriptor; the values of <c>enum vhost_pci_fd_events</c>.</summary>
[Flags]
public enum DescriptorEvents : uint
{
    /// <summary>Nothing: stop watching.</summary>
    None = 0,

    /// <summary>Data or a connection can be read, or the peer is gone.</summary>
    Read = 1,

    /// <summary>There is room to write.</summary>
    Write = 2,
}
