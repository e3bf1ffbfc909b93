/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of an origin's memory the mirror gets.
 */
#ifndef HW_VHOST_PCI_CLIENT_MEMORY_H
#define HW_VHOST_PCI_CLIENT_MEMORY_H

#include "exec/memory.h"
#include "linux-headers/linux/vhost.h"
#include "vhost_pci_abi.h"

/* Memory of the machine's that a client has warned of */
typedef struct VhostPciLeftOut VhostPciLeftOut;

VhostPciLeftOut *vhost_pci_left_out_new(const char *client);
void vhost_pci_left_out_free(VhostPciLeftOut *left_out);

/* Warns once of what the mirror should have and cannot; NULL: not at all */
bool vhost_pci_memory_is_shared(const MemoryRegion *mr,
                                VhostPciLeftOut *left_out);
/* @r has been found to be shared */
void vhost_pci_memory_describe(const struct vhost_memory_region *r,
                               struct vhost_pci_memory_region *to);
/* Highest guest address + 1 with hot-plug room; 0 when nothing is shared */
uint64_t vhost_pci_memory_end(void);
/* Why it is 0 */
void vhost_pci_memory_explain(Error **errp);

#endif /* HW_VHOST_PCI_CLIENT_MEMORY_H */
