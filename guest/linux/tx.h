/* SPDX-License-Identifier: GPL-2.0-only */
/* Transmit: filling the origin's receive ring */
#ifndef VHOST_PCI_TX_H
#define VHOST_PCI_TX_H

#include "vhost_pci_net.h"

netdev_tx_t vpnet_start_xmit(struct sk_buff *skb, struct net_device *dev);
bool vpnet_tx_raw(struct vpnet_queue *q, const void *data, u32 len);
int vpnet_tx_frames(struct vpnet_queue *q, struct xdp_frame **frames, int n);

#endif /* VHOST_PCI_TX_H */
