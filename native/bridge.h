/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI bridge with hot-plug slots and a reserved window: what a
 * vhost-pci-server is, and what it puts beside itself for more connections.
 */
#ifndef HW_VHOST_PCI_BRIDGE_H
#define HW_VHOST_PCI_BRIDGE_H

#include "hw/pci/pci_bridge.h"

#define TYPE_VHOST_PCI_BRIDGE "vhost-pci-bridge"

OBJECT_DECLARE_SIMPLE_TYPE(VhostPciBridge, VHOST_PCI_BRIDGE)

struct VhostPciBridge {
    PCIBridge parent_obj;
    /* set before it is realized */
    char *bus_name;
    uint64_t mem_reserve;
    uint64_t pref64_reserve;

    MemoryRegion shpc_bar;
};

void vhost_pci_bridge_realize(PCIDevice *d, Error **errp);
void vhost_pci_bridge_exit(PCIDevice *d);

#endif /* HW_VHOST_PCI_BRIDGE_H */
