/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-pci-net: a network interface whose other end is the virtio-net of
 * another VM (the origin), whose rings this driver serves in place.
 */
#ifndef VHOST_PCI_NET_H
#define VHOST_PCI_NET_H

#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <linux/u64_stats_sync.h>
#include <linux/virtio.h>
#include <linux/workqueue.h>

#include "frame.h"
#include "ring.h"
#include "rxbuf.h"
#include "vhost_pci_guest_abi.h"

#define VPNET_DRV_NAME		"vhost_pci_net"
#define VPNET_DRV_VERSION	"0.1"

/* The origin's numbers for the rings of its first pair, as in the ABI */
enum {
	VPNET_ORIGIN_RX,	/* we fill it: our transmit direction */
	VPNET_ORIGIN_TX,	/* we empty it: our receive direction */
	VPNET_RINGS
};

/* A consistent copy of the device configuration */
struct vpnet_config {
	u32 epoch;
	bool link_up;
	u16 mtu;
	u64 features;
	struct {
		struct vpring_area area;
		bool enabled;
	} ring[VPNET_RINGS];
};

/*
 * For ethtool -S.  Each field has one writer at a time; unsigned long so that
 * reading it without a lock does not tear.
 */
struct vpnet_counters {
	unsigned long kicks;		/* interrupts: the origin kicked */
	unsigned long polls;		/* rounds of work on the ring */
	unsigned long armed;		/* asked for a kick */
	unsigned long rearmed;		/* ... and found work at once */
	unsigned long doorbells;	/* interrupts raised in the origin */
	unsigned long broken;		/* broke the rules, switched off */
};

struct vpnet_stats {
	struct u64_stats_sync sync;
	u64_stats_t packets;
	u64_stats_t bytes;
	u64_stats_t dropped;
	u64_stats_t errors;
};

/*
 * One origin ring in use.  VPNET_ORIGIN_RX is protected by the transmit
 * queue's lock, VPNET_ORIGIN_TX by vpnet.rx_lock.
 */
struct vpnet_queue {
	struct vpring ring;
	bool on;
	bool suspect;			/* broke, config_work has to look why */
	u32 hdr_len;
	u64 features;			/* acked by the origin's driver */
	struct vpring_seg *segs;	/* VPRING_MAX_SEGS */
	struct vpnet_counters count;
	struct vpnet_stats stats;
};

struct vpnet {
	struct virtio_device *vdev;
	struct net_device *dev;
	struct virtqueue *vq[VPNET_RINGS];
	struct napi_struct napi;
	spinlock_t rx_lock;		/* one round of receive work */
	struct vpnet_rxbuf rxbuf;
	unsigned int gro_vain;		/* rounds without a merged packet */
	unsigned int gro_skip;		/* rounds to go without GRO */
	struct vpnet_queue queue[VPNET_RINGS];

	struct vpring_window win;
	u8 __iomem *doorbells;
	u8 *tokens;			/* one byte for each virtqueue */

	/* owned by config_work, or by probe and remove while it cannot run */
	struct delayed_work config_work;
	bool stopping;			/* ... any more */
	u32 epoch;
	bool adopted;			/* @epoch is valid */
	u16 config_mtu;

	u64 features;			/* for fix_features: acked, 0 if down */
};

static inline void vpnet_inc(unsigned long *counter)
{
	WRITE_ONCE(*counter, *counter + 1);
}

/*
 * The virtio core marks its queues broken when the device has been pulled
 * out, and before it resets the device at a shutdown of the machine, of which
 * it does not tell the driver.  Either way the window is not ours any more.
 */
static inline bool vpnet_usable(const struct vpnet *vp, unsigned int ring)
{
	return vp->queue[ring].on && !virtqueue_is_broken(vp->vq[ring]);
}

static inline void vpnet_doorbell(struct vpnet *vp, unsigned int ring)
{
	vpnet_inc(&vp->queue[ring].count.doorbells);
	/* writel() orders the store behind all earlier ones */
	writel(1, vp->doorbells + ring * VHOST_PCI_NET_DOORBELL_STRIDE);
}

static inline void vpnet_stats_add(struct vpnet_stats *stats, u64_stats_t *what,
				   unsigned long n)
{
	u64_stats_update_begin(&stats->sync);
	u64_stats_add(what, n);
	u64_stats_update_end(&stats->sync);
}

/* config.c */
void vpnet_config_work(struct work_struct *work);
void vpnet_config_schedule(struct vpnet *vp);
void vpnet_config_stop(struct vpnet *vp);
int vpnet_config_check(struct vpnet *vp);
void vpnet_config_read_mac(struct vpnet *vp, u8 *mac);
u16 vpnet_config_read_mtu(struct vpnet *vp);

/* link.c */
void vpnet_rings_off(struct vpnet *vp);
bool vpnet_rings_on(struct vpnet *vp, const struct vpnet_config *cfg);
void vpnet_ring_broken(struct vpnet *vp, unsigned int ring);
void vpnet_rings_report(struct vpnet *vp);

/* rx.c */
int vpnet_poll(struct napi_struct *napi, int budget);
void vpnet_rx_schedule(struct vpnet *vp);

/* tx.c */
netdev_tx_t vpnet_start_xmit(struct sk_buff *skb, struct net_device *dev);

/* netdev.c */
void vpnet_netdev_setup(struct vpnet *vp);
void vpnet_netdev_update(struct vpnet *vp, u16 mtu);

/* ethtool.c */
extern const struct ethtool_ops vpnet_ethtool_ops;

#endif /* VHOST_PCI_NET_H */
