// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Linux.Generated
{
    [NativeTypeName("unsigned int")]
    public enum vhost_pci_fd_events : uint
    {
        VHOST_PCI_FD_NONE = 0,
        VHOST_PCI_FD_READ = 1,
        VHOST_PCI_FD_WRITE = 2,
    }
}
