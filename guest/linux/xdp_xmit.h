/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that an XDP program has redirected to this interface */
#ifndef VHOST_PCI_XDP_XMIT_H
#define VHOST_PCI_XDP_XMIT_H

#include "vhost_pci_net.h"

int vpnet_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		   u32 flags);
void vpnet_xdp_target_forget(void);
u32 vpnet_xdp_target_room(unsigned int redirects);

#endif /* VHOST_PCI_XDP_XMIT_H */
