/* SPDX-License-Identifier: GPL-2.0-only */
/* XDP programs on received frames */
#ifndef VHOST_PCI_XDP_H
#define VHOST_PCI_XDP_H

#include "round.h"
#include "vhost_pci_net.h"

int vpnet_xdp_work(struct vpnet_pair *pair, struct bpf_prog *prog,
		   struct vpnet_round *round, int budget);
int vpnet_bpf(struct net_device *dev, struct netdev_bpf *bpf);
int vpnet_xdp_open(struct vpnet *vp);
void vpnet_xdp_close(struct vpnet *vp);

#endif /* VHOST_PCI_XDP_H */
