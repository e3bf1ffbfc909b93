/* SPDX-License-Identifier: GPL-2.0-only */
/* The origin's kicks, which arrive as interrupts of virtqueues without data */
#ifndef VHOST_PCI_KICK_H
#define VHOST_PCI_KICK_H

#include "vhost_pci_net.h"

int vpnet_kick_find_vqs(struct vpnet *vp);
void vpnet_kick_del_vqs(struct vpnet *vp);
int vpnet_kick_listen(struct vpnet *vp);

#endif /* VHOST_PCI_KICK_H */
