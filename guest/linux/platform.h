/* SPDX-License-Identifier: GPL-2.0-only */
/* What this driver needs of the machine */
#ifndef VHOST_PCI_PLATFORM_H
#define VHOST_PCI_PLATFORM_H

/*
 * All memory has to be mapped, a window of gigabytes as well, and a 64-bit
 * field of a packed ring is written in one store.
 */
#ifndef CONFIG_64BIT
#error "vhost_pci_net needs a 64-bit kernel"
#endif

#endif /* VHOST_PCI_PLATFORM_H */
