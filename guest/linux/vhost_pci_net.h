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
#include <linux/virtio_net.h>
#include <linux/workqueue.h>
#include <net/xdp.h>

#include "accept.h"
#include "coalesce.h"
#include "frame.h"
#include "ring.h"
#include "rxbuf.h"
#include "platform.h"
#include "vhost_pci_guest_abi.h"

#define VPNET_DRV_NAME		"vhost_pci_net"
#define VPNET_DRV_VERSION	"0.1"

#define VPNET_MAX_RINGS		VHOST_PCI_MAX_RINGS

#define VPNET_OFFLOADS		(NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | \
				 NETIF_F_TSO_ECN)

/* The origin's numbers for the rings of pair 0, as in the ABI; then 2, 3... */
enum {
	VPNET_ORIGIN_RX,	/* we fill it: our transmit direction */
	VPNET_ORIGIN_TX,	/* we empty it: our receive direction */
	VPNET_PAIR_RINGS
};

/* Where the device has what of its configuration */
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
	unsigned long xdp_drops;	/* what an XDP program decided */
	unsigned long xdp_tx;
	unsigned long xdp_redirects;
	unsigned long holds;		/* frames left for want of room */
};

struct vpnet_stats {
	struct u64_stats_sync sync;
	u64_stats_t packets;
	u64_stats_t bytes;
	u64_stats_t dropped;
	u64_stats_t errors;
};

/*
 * One of the origin's rings.  A receive ring of the origin is protected by
 * our transmit queue's lock, a transmit ring by vpnet_pair.rx_lock.
 */
struct vpnet_queue {
	struct vpring ring;
	struct virtqueue *vq;		/* whose interrupt is its kick */
	u8 __iomem *doorbell;
	bool on;
	bool suspect;			/* broke, config_work has to look why */
	u32 hdr_len;
	u64 features;			/* acked by the origin's driver */
	char name[16];			/* the virtqueue's */
	struct vpring_seg *segs;	/* VPRING_MAX_SEGS */
	struct vpring_done *done;	/* for a packed ring */
	u32 done_room;
	struct vpnet_counters count;
	struct vpnet_stats stats;
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
	u32 xdp_room;			/* the target had after the last round */
	u32 xdp_hold;			/* wait for room, microseconds */
	unsigned int xdp_holds;		/* in a row */
	unsigned long tc_packets;	/* forwarded by tc.c */
	unsigned long tc_bytes;
	u32 tc_hold;			/* wait for the target, microseconds */
	unsigned int gro_vain;		/* rounds without a merged packet */
	unsigned int gro_skip;		/* rounds to go without GRO */
	unsigned int gro_tries;		/* in vain, since it was worth it */
	u16 ahead;			/* frames that need no kick */
};

struct vpnet {
	struct virtio_device *vdev;
	struct net_device *dev;
	struct vpnet_layout layout;
	struct vpnet_pair *pair;
	unsigned int pairs;		/* as many as the device can have */
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

	/* ethtool -C */
	u32 rx_usecs;			/* longest wait for more frames */
	u32 rx_frames;			/* ... and for how many at most */
	bool rx_adaptive;		/* only when they come fast */

	/*
	 * What follows from an epoch, but needs the RTNL, which others may
	 * hold for long.  In a work item of its own, for which config_work
	 * does not wait.
	 */
	struct work_struct netdev_work;
	u16 mtu_told;			/* by the newest epoch */

	/* under the RTNL */
	bool napi_on;
	u16 config_mtu;			/* as last followed */
	u32 speed;			/* ethtool -s; means nothing to us */
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

static inline void vpnet_inc(unsigned long *counter)
{
	WRITE_ONCE(*counter, *counter + 1);
}

/*
 * The virtio core marks its queues broken when the device has been pulled
 * out, and before it resets the device at a shutdown of the machine, of which
 * it does not tell the driver.  Either way the window is not ours any more.
 */
static inline bool vpnet_usable(const struct vpnet_queue *q)
{
	return q->on && !virtqueue_is_broken(q->vq);
}

static inline void vpnet_doorbell(struct vpnet_queue *q)
{
	vpnet_inc(&q->count.doorbells);
	/* writel() orders the store behind all earlier ones */
	writel(1, q->doorbell);
}

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

static inline void vpnet_stats_add(struct vpnet_stats *stats, u64_stats_t *what,
				   unsigned long n)
{
	u64_stats_update_begin(&stats->sync);
	u64_stats_add(what, n);
	u64_stats_update_end(&stats->sync);
}

/* A consistent copy of the above */
struct vpnet_totals {
	u64 packets;
	u64 bytes;
	u64 dropped;
	u64 errors;
};

static inline void vpnet_stats_read(const struct vpnet_stats *stats,
				    struct vpnet_totals *to)
{
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&stats->sync);
		to->packets = u64_stats_read(&stats->packets);
		to->bytes = u64_stats_read(&stats->bytes);
		to->dropped = u64_stats_read(&stats->dropped);
		to->errors = u64_stats_read(&stats->errors);
	} while (u64_stats_fetch_retry(&stats->sync, start));
}

/* config.c */
void vpnet_config_work(struct work_struct *work);
void vpnet_config_schedule(struct vpnet *vp);
void vpnet_config_stop(struct vpnet *vp);
int vpnet_config_check(struct virtio_device *vdev, struct vpnet_layout *layout);
void vpnet_config_read_mac(struct vpnet *vp, u8 *mac);
u16 vpnet_config_read_mtu(struct vpnet *vp);

/* driver.c */
void vpnet_driver_tell(struct vpnet *vp);
void vpnet_driver_tell_up(struct vpnet *vp, bool up);
void vpnet_driver_announce(struct vpnet *vp, const u8 *mac);

/* link.c */
void vpnet_rings_off(struct vpnet *vp);
bool vpnet_rings_on(struct vpnet *vp, const struct vpnet_config *cfg);
void vpnet_ring_broken(struct vpnet *vp, struct vpnet_queue *q);
u64 vpnet_rings_suspect(const struct vpnet *vp);
void vpnet_rings_report(struct vpnet *vp, u64 suspects);

/* rx.c */
int vpnet_poll(struct napi_struct *napi, int budget);
void vpnet_rx_schedule(struct vpnet_pair *pair);
void vpnet_rx_settle(struct vpnet_pair *pair);
void vpnet_rx_shrink_work(struct work_struct *work);

/* tx.c */
netdev_tx_t vpnet_start_xmit(struct sk_buff *skb, struct net_device *dev);
bool vpnet_tx_raw(struct vpnet *vp, struct vpnet_queue *q, const void *data,
		  u32 len);
int vpnet_tx_frames(struct vpnet *vp, struct vpnet_queue *q,
		    struct xdp_frame **frames, int n);
void vpnet_tx_flush(struct vpnet_queue *q);

/* xdp.c */
int vpnet_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		   u32 flags);
int vpnet_bpf(struct net_device *dev, struct netdev_bpf *bpf);
int vpnet_xdp_open(struct vpnet *vp);
void vpnet_xdp_close(struct vpnet *vp);

/* tc.c */
int vpnet_setup_tc(struct net_device *dev, enum tc_setup_type type, void *data);
int vpnet_tc_start(struct vpnet *vp);
void vpnet_tc_stop(struct vpnet *vp);

/* netdev.c */
netdev_features_t vpnet_offloads(u64 acked);
void vpnet_channels_update(struct vpnet *vp);
void vpnet_napi_enable(struct vpnet *vp);
void vpnet_napi_disable(struct vpnet *vp);
void vpnet_netdev_setup(struct vpnet *vp);
void vpnet_netdev_work(struct work_struct *work);

/* ethtool.c */
extern const struct ethtool_ops vpnet_ethtool_ops;

#endif /* VHOST_PCI_NET_H */
