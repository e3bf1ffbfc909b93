/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory window and the doorbells: BAR 2 and BAR 0 */
#ifndef VHOST_PCI_WINDOW_H
#define VHOST_PCI_WINDOW_H

#include "vhost_pci_net.h"

int vpnet_window_map(struct vpnet *vp);
void vpnet_window_unmap(struct vpnet *vp);

#endif /* VHOST_PCI_WINDOW_H */
