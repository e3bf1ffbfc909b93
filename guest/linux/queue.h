/* SPDX-License-Identifier: GPL-2.0-only */
/* One of the origin's rings, with its doorbell and its counters */
#ifndef VHOST_PCI_QUEUE_H
#define VHOST_PCI_QUEUE_H

#include <linux/io.h>
#include <linux/types.h>
#include <linux/u64_stats_sync.h>
#include <linux/virtio.h>

#include "ring.h"

/* The origin's numbers for the rings of pair 0, as in the ABI; then 2, 3... */
enum {
	VPNET_ORIGIN_RX,	/* we fill it: our transmit direction */
	VPNET_ORIGIN_TX,	/* we empty it: our receive direction */
	VPNET_PAIR_RINGS
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
	unsigned long holds;		/* rounds that left frames: no room */
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
	bool suspect;			/* broke, and we do not know yet why */
	u32 hdr_len;
	u64 features;			/* acked by the origin's driver */
	char name[16];			/* the virtqueue's */
	void (*broken)(struct vpnet_queue *q);	/* told that it has broken */
	struct vpring_seg *segs;	/* VPRING_MAX_SEGS */
	struct vpring_done *done;	/* for a packed ring */
	u32 done_room;
	struct vpnet_counters count;
	struct vpnet_stats stats;
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

/* Show the origin what has been filled; ring the doorbell if it wants that */
static inline void vpnet_publish(struct vpnet_queue *q)
{
	if (vpring_publish(&q->ring))
		vpnet_doorbell(q);
}

/*
 * The origin broke the rules of the ring: leave it alone until it comes with
 * new ones.  Called with the lock of the ring.
 */
static inline void vpnet_queue_break(struct vpnet_queue *q)
{
	q->on = false;
	WRITE_ONCE(q->suspect, true);
	q->broken(q);
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

#endif /* VHOST_PCI_QUEUE_H */
