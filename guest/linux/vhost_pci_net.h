/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-pci-net: a network interface whose other end is the virtio-net of
 * another VM, the origin.  The driver serves the origin's rings in place.
 *
 * What the parts have in common; docs/reference/linux-driver.md says which part
 * may call which.
 */
#ifndef VHOST_PCI_NET_H
#define VHOST_PCI_NET_H

#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/workqueue.h>
#include <net/xdp.h>

#include "coalesce.h"
#include "platform.h"
#include "queue.h"
#include "rxbuf.h"
#include "vhost_pci_guest_abi.h"

#define VPNET_DRV_NAME		"vhost_pci_net"
#define VPNET_DRV_VERSION	"0.1"

#define VPNET_MAX_RINGS		VHOST_PCI_MAX_RINGS

#define VPNET_OFFLOADS		(NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | \
				 NETIF_F_TSO_ECN)

/* Where things are in the device's configuration */
struct vpnet_layout {
	u16 ring_offset;
	u16 ring_entry;
	u16 rings;
	u16 net;		/* vhost-pci-net's part */
};

/* A consistent copy of the device configuration */
struct vpnet_config {
	u32 epoch;
	bool link_up;
	u16 mtu;
	u64 features;
	u64 window_base;
	u32 announce;
	u8 origin_mac[ETH_ALEN];
	struct {
		struct vpring_area area;
		bool enabled;
	} ring[VPNET_MAX_RINGS];
};

/* A receive and a transmit ring of the origin, and what serves them */
struct vpnet_pair {
	struct vpnet *vp;
	struct vpnet_queue queue[VPNET_PAIR_RINGS];
	struct napi_struct napi;
	spinlock_t rx_lock;		/* one round of receive work */
	struct vpnet_rxbuf rxbuf;
	struct vpnet_coalesce coalesce;
	struct xdp_rxq_info xdp_rxq;
	u32 xdp_room;			/* of the target, after the last round */
	u32 xdp_hold;			/* wait for room, microseconds */
	unsigned int xdp_holds;		/* in a row */
	unsigned long tc_packets;	/* forwarded by tc.c */
	unsigned long tc_bytes;
	u32 tc_hold;			/* wait for the target, microseconds */
	unsigned int gro_vain;		/* rounds without a merged packet */
	unsigned int gro_skip;		/* rounds to do without GRO */
	unsigned int gro_tries;		/* in vain, since it last merged anything */
	u16 ahead;			/* frames that need no kick */
};

struct vpnet {
	struct virtio_device *vdev;
	struct net_device *dev;
	struct vpnet_layout layout;
	struct vpnet_pair *pair;
	unsigned int pairs;		/* that the device has room for */
	unsigned int pairs_on;		/* in use, from pair 0 without a gap */

	struct vpring_window win;
	u8 __iomem *doorbells;
	u8 *tokens;			/* one byte for each virtqueue */

	/* owned by config_work, or by probe and remove while it cannot run */
	struct delayed_work config_work;
	bool stopping;			/* ... any more */
	u32 epoch;
	bool adopted;			/* @epoch is valid */
	u32 announced;			/* announcements passed on */
	struct vpnet_config config;	/* too large for the stack */

	struct delayed_work rxbuf_work;	/* gives unused pages back */

	struct vpnet_coalesce_want coalesce;	/* ethtool -C */

	/*
	 * What needs the RTNL, which others may hold for long.  A work item of
	 * its own, for which config_work does not wait.
	 */
	struct work_struct netdev_work;
	u16 mtu_told;			/* by the newest epoch */

	/* under the RTNL */
	bool napi_on;
	u16 config_mtu;			/* as last followed */
	u32 speed;			/* ethtool -s; not used */
	u8 duplex;
	unsigned int tx_wanted;		/* ethtool -L; 0: all there are */
	unsigned int pairs_spread;	/* over the CPUs, at present */

	u64 features;			/* that the origin acked, 0 if down */
	netdev_features_t offloads;	/* ... of VPNET_OFFLOADS */
	struct bpf_prog __rcu *xdp_prog;

	/* an offloaded tc filter, under the RTNL */
	struct net_device __rcu *redirect;	/* its target, if there */
	unsigned long tc_cookie;		/* whose it is; 0: none */
	u64 tc_packets_told;
	u64 tc_bytes_told;
	struct notifier_block tc_notifier;

	u64 hash_key[3];		/* random */
};

static inline struct vpnet_queue *vpnet_ring(const struct vpnet *vp,
					     unsigned int ring)
{
	return &vp->pair[ring / VPNET_PAIR_RINGS]
			.queue[ring % VPNET_PAIR_RINGS];
}

static inline unsigned int vpnet_rings(const struct vpnet *vp)
{
	return vp->pairs * VPNET_PAIR_RINGS;
}

#endif /* VHOST_PCI_NET_H */
