/* SPDX-License-Identifier: GPL-2.0-only */
/* What this driver needs of the machine */
#ifndef VHOST_PCI_PLATFORM_H
#define VHOST_PCI_PLATFORM_H

/*
 * The window, gigabytes of it, is mapped as a whole, and a packed descriptor is
 * returned with one 64-bit store.
 */
#ifndef CONFIG_64BIT
#error "vhost_pci_net needs a 64-bit kernel"
#endif

#endif /* VHOST_PCI_PLATFORM_H */
