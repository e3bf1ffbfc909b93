/* SPDX-License-Identifier: GPL-2.0-only */
/* The tc filter that redirects everything, offloaded */
#ifndef VHOST_PCI_TC_H
#define VHOST_PCI_TC_H

#include "round.h"
#include "vhost_pci_net.h"

bool vpnet_tc_busy(struct vpnet_pair *pair, const struct net_device *to,
		   struct vpnet_round *round);
void vpnet_tc_forward(struct vpnet_pair *pair, struct net_device *to,
		      struct sk_buff *skb);
int vpnet_setup_tc(struct net_device *dev, enum tc_setup_type type, void *data);
int vpnet_tc_start(struct vpnet *vp);
void vpnet_tc_stop(struct vpnet *vp);

#endif /* VHOST_PCI_TC_H */
