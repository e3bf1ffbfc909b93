/* SPDX-License-Identifier: GPL-2.0-only */
/* How many queues are used, by which CPUs */
#ifndef VHOST_PCI_CHANNELS_H
#define VHOST_PCI_CHANNELS_H

#include "vhost_pci_net.h"

void vpnet_channels_update(struct vpnet *vp);

#endif /* VHOST_PCI_CHANNELS_H */
