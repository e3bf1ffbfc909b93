// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    [NativeTypeName("unsigned int")]
    public enum vhost_pci_ring_fd : uint
    {
        VHOST_PCI_RING_KICK = 0,
        VHOST_PCI_RING_CALL = 1,
        VHOST_PCI_RING_ERR = 2,
    }
}
