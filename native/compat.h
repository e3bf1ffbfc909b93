/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where versions of QEMU differ.
 */
#ifndef HW_VHOST_PCI_COMPAT_H
#define HW_VHOST_PCI_COMPAT_H

#include "exec/memory.h"
#include "exec/ramblock.h"

/* Byte of its file at which a region begins: memory-backend-file,offset= */
static inline uint64_t vhost_pci_compat_fd_offset(const MemoryRegion *mr)
{
#if QEMU_VERSION_MAJOR > 8 || (QEMU_VERSION_MAJOR == 8 && QEMU_VERSION_MINOR)
    return mr->ram_block->fd_offset;
#else
    return 0;
#endif
}

#endif /* HW_VHOST_PCI_COMPAT_H */
