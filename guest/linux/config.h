/* SPDX-License-Identifier: GPL-2.0-only */
/* The device configuration, and what follows from it */
#ifndef VHOST_PCI_CONFIG_H
#define VHOST_PCI_CONFIG_H

#include "vhost_pci_net.h"

void vpnet_config_work(struct work_struct *work);
void vpnet_config_schedule(struct vpnet *vp);
void vpnet_config_ring_broken(struct vpnet_queue *q);
void vpnet_config_stop(struct vpnet *vp);
int vpnet_config_check(struct virtio_device *vdev, struct vpnet_layout *layout);
void vpnet_config_read_mac(struct vpnet *vp, u8 *mac);
u16 vpnet_config_read_mtu(struct vpnet *vp);

#endif /* VHOST_PCI_CONFIG_H */
