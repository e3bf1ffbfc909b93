/* SPDX-License-Identifier: GPL-2.0-only */
/* A round of receive work, with and without XDP */
#ifndef VHOST_PCI_ROUND_H
#define VHOST_PCI_ROUND_H

#include <linux/netdevice.h>
#include <linux/types.h>

/* What one round of receive work brought */
struct vpnet_round {
	unsigned long packets;
	unsigned long bytes;
	unsigned int merged;
	u32 hold;		/* leave frames for so many microseconds */
	bool gro;
	struct net_device *to;	/* offloaded redirection; or NULL */
};

#endif /* VHOST_PCI_ROUND_H */
