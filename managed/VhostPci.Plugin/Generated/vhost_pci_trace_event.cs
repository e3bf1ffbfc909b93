// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    [NativeTypeName("unsigned int")]
    public enum vhost_pci_trace_event : uint
    {
        VHOST_PCI_TRACE_ACCEPT = 0,
        VHOST_PCI_TRACE_REFUSE = 1,
        VHOST_PCI_TRACE_MESSAGE = 2,
        VHOST_PCI_TRACE_CLOSE = 3,
        VHOST_PCI_TRACE_PLUG = 4,
        VHOST_PCI_TRACE_UNPLUG = 5,
        VHOST_PCI_TRACE_MAP = 6,
        VHOST_PCI_TRACE_CLEAR = 7,
        VHOST_PCI_TRACE_BIND = 8,
        VHOST_PCI_TRACE_EPOCH = 9,
        VHOST_PCI_TRACE_ACK = 10,
        VHOST_PCI_TRACE_STATUS = 11,
        VHOST_PCI_TRACE_CLIENT_LINK = 12,
        VHOST_PCI_TRACE_CLIENT_MESSAGE = 13,
    }
}
