// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Linux.Generated
{
    [NativeTypeName("unsigned int")]
    public enum vhost_pci_log_level : uint
    {
        VHOST_PCI_LOG_DEBUG = 0,
        VHOST_PCI_LOG_INFO = 1,
        VHOST_PCI_LOG_WARNING = 2,
        VHOST_PCI_LOG_ERROR = 3,
    }
}
