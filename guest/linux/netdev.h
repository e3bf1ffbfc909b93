/* SPDX-License-Identifier: GPL-2.0-only */
/* The network interface, except for its data paths */
#ifndef VHOST_PCI_NETDEV_H
#define VHOST_PCI_NETDEV_H

#include "vhost_pci_net.h"

void vpnet_napi_enable(struct vpnet *vp);
void vpnet_napi_disable(struct vpnet *vp);
void vpnet_netdev_setup(struct vpnet *vp);
void vpnet_netdev_work(struct work_struct *work);

#endif /* VHOST_PCI_NETDEV_H */
