// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transmit: fill the origin's receive ring.
 */
#include <linux/math64.h>
#include <linux/skbuff.h>
#include <linux/virtio_net.h>
#include <net/xdp.h>

#include "frame.h"
#include "segs.h"
#include "tx.h"

/* Outcome of an attempt to get buffers for a frame */
enum vpnet_tx_room {
	VPNET_TX_ROOM,
	VPNET_TX_WAIT,		/* not enough buffers yet */
	VPNET_TX_NEVER,		/* does not fit, however long we wait */
	VPNET_TX_BROKEN,
};

/*
 * A frame needs more buffers than the @nbufs seen so far, which hold @held
 * bytes: how many more are worth another try?  Half of what it takes if all are
 * like those seen, so that each try at least halves what is missing and we do
 * not wait for more than are needed when larger ones come.  Never so many that
 * an origin which refills only when half of its ring is free would not bring
 * them.
 */
static u16 vpnet_tx_missing(const struct vpring *ring, u32 left, u32 held,
			    u16 nbufs)
{
	const u32 half = max_t(u32, ring->size / 2, vpring_pending(ring) + 1);
	u64 more = held ? div_u64((u64)left * nbufs, held) / 2 : 1;

	return clamp_t(u64, more, 1, half - vpring_pending(ring));
}

/*
 * Take buffers for @left bytes.  On anything but VPNET_TX_ROOM the ring is
 * rolled back; on VPNET_TX_WAIT @nbufs is the number of buffers to wait for.
 */
static enum vpnet_tx_room vpnet_tx_reserve(struct vpnet_queue *q, u32 left,
					   u16 *nbufs)
{
	const bool mergeable = q->features & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF);
	const u32 len = left;
	enum vpnet_tx_room ret;
	struct vpring_chain chain;
	struct vpring_mark mark;
	u32 nsegs = 0;

	vpring_save(&q->ring, &mark);
	for (*nbufs = 1; ; ++*nbufs) {
		u32 take;

		switch (vpring_pop(&q->ring, q->segs + nsegs,
				   VPRING_MAX_SEGS - nsegs, &chain)) {
		case VPRING_OK:
			break;
		case VPRING_EMPTY:
			vpring_rollback(&q->ring, &mark);
			/* even a full ring is not enough */
			if (vpring_pending(&q->ring) >= q->ring.size)
				return VPNET_TX_NEVER;
			*nbufs = vpnet_tx_missing(&q->ring, left, len - left,
						  *nbufs - 1);
			return VPNET_TX_WAIT;
		case VPRING_NO_ROOM:
			ret = VPNET_TX_NEVER;
			goto rollback;
		default:
			ret = VPNET_TX_BROKEN;
			goto rollback;
		}

		take = min_t(u64, left, chain.len);
		vpring_fill(&q->ring, chain.head, take);
		if (*nbufs > 1)
			vpring_join(&q->ring);
		nsegs += chain.nsegs;
		left -= take;
		if (!left)
			return VPNET_TX_ROOM;
		if (!mergeable) {
			ret = VPNET_TX_NEVER;
			goto rollback;
		}
	}

rollback:
	vpring_rollback(&q->ring, &mark);
	return ret;
}

/* Copy the frame, wherever its fragments and the buffers end */
static int vpnet_tx_copy(struct vpnet_queue *q, const struct sk_buff *skb,
			 const struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	struct vpsegs it;
	u32 off = 0;
	int i;

	vpsegs_start(&it, q->segs);
	vpsegs_write_hdr(&it, hdr, q->hdr_len);
	if (likely(!skb_has_frag_list(skb))) {
		vpsegs_write(&it, skb->data, skb_headlen(skb));
		for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
			const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

			vpsegs_write(&it, skb_frag_address(frag),
				     skb_frag_size(frag));
		}
		return 0;
	}

	while (off < skb->len) {
		u32 n;
		void *to = vpsegs_next(&it, skb->len - off, &n);

		if (unlikely(skb_copy_bits(skb, off, to, n)))
			return -EFAULT;
		off += n;
	}
	return 0;
}

/* The frame's header without num_buffers; false: it cannot be sent */
static bool vpnet_tx_hdr(const struct vpnet_queue *q, const struct sk_buff *skb,
			 struct virtio_net_hdr *hdr)
{
	if (skb->ip_summed != CHECKSUM_PARTIAL && !skb_is_gso(skb)) {
		memset(hdr, 0, sizeof(*hdr));
		return true;
	}
	return !virtio_net_hdr_from_skb(skb, hdr, true, false, 0) &&
	       vpnet_hdr_sendable(hdr, q->features);
}

/*
 * A packet from a NAPI poll, such as a forwarded one, goes to the cache that
 * the next one is allocated from.
 */
static void vpnet_tx_consume(struct sk_buff *skb)
{
	if (unlikely(in_hardirq() || irqs_disabled()))
		dev_consume_skb_any(skb);
	else
		napi_consume_skb(skb, 1);
}

/* The header of a frame in one buffer that requests nothing */
static __always_inline void vpnet_hdr_put(void *at)
{
	static const struct virtio_net_hdr_mrg_rxbuf hdr = {
		.num_buffers = (__force __virtio16)cpu_to_le16(1),
	};

	memcpy(at, &hdr, sizeof(hdr));
}

/* Send a frame that requests nothing, if the next buffer is large enough */
static __always_inline bool vpnet_tx_simple(struct vpnet_queue *q,
					    const void *data, u32 len)
{
	const u32 hdr_len = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	struct vpring_seg seg;
	u16 head;

	if (unlikely(q->hdr_len != hdr_len) ||
	    !vpring_peek(&q->ring, &seg, &head) ||
	    unlikely(seg.len < hdr_len || seg.len - hdr_len < len))
		return false;
	vpring_take(&q->ring);
	vpring_fill(&q->ring, head, hdr_len + len);
	vpnet_hdr_put(seg.addr);
	memcpy(seg.addr + hdr_len, data, len);
	return true;
}

/* The same, with as many buffers as it takes */
static __always_inline bool vpnet_tx_put(struct vpnet_queue *q,
					 const void *data, u32 len)
{
	struct virtio_net_hdr_mrg_rxbuf hdr = {};
	enum vpnet_tx_room room;
	struct vpsegs it;
	u16 nbufs;

	if (likely(vpnet_tx_simple(q, data, len)))
		return true;
	room = vpnet_tx_reserve(q, q->hdr_len + len, &nbufs);
	if (unlikely(room != VPNET_TX_ROOM)) {
		if (room == VPNET_TX_BROKEN)
			vpnet_queue_break(q);
		return false;
	}
	hdr.num_buffers = __cpu_to_virtio16(true, nbufs);
	vpsegs_start(&it, q->segs);
	vpsegs_write_hdr(&it, &hdr, q->hdr_len);
	vpsegs_write(&it, data, len);
	return true;
}

static void vpnet_tx_count(struct vpnet_queue *q, unsigned int packets,
			   unsigned int bytes, unsigned int dropped)
{
	u64_stats_update_begin(&q->stats.sync);
	u64_stats_add(&q->stats.packets, packets);
	u64_stats_add(&q->stats.bytes, bytes);
	u64_stats_add(&q->stats.dropped, dropped);
	u64_stats_update_end(&q->stats.sync);
}

/**
 * vpnet_tx_raw - put a frame that asks for nothing into the ring
 * @q: a receive ring of the origin, whose lock is held
 * @data: the frame
 * @len: its length
 *
 * Return: false when it was dropped.  In any case vpnet_publish() is due
 * before the lock is given up for long.  Neither asks for kicks nor asks to be
 * spared them: that is between the stack's queue and the origin.
 */
bool vpnet_tx_raw(struct vpnet_queue *q, const void *data, u32 len)
{
	if (unlikely(!vpnet_usable(q) || !vpnet_tx_put(q, data, len))) {
		vpnet_tx_count(q, 0, 0, 1);
		return false;
	}
	vpnet_tx_count(q, 1, len, 0);
	return true;
}

/**
 * vpnet_tx_frames - the same for many, of an XDP redirection
 * @q: a receive ring of the origin, whose lock is held
 * @frames: the frames
 * @n: how many
 *
 * Return: how many were put into the ring; the others count as dropped.
 */
int vpnet_tx_frames(struct vpnet_queue *q, struct xdp_frame **frames, int n)
{
	unsigned int bytes = 0;
	int i = 0;

	if (likely(vpnet_usable(q))) {
		for (; i < n; i++) {
			struct xdp_frame *frame = frames[i];

			if (unlikely(xdp_frame_has_frags(frame)) ||
			    !vpnet_tx_put(q, frame->data, frame->len))
				break;
			bytes += frame->len;
		}
	}
	vpnet_tx_count(q, i, bytes, n - i);
	return i;
}

/*
 * @want buffers are missing.  Stop first, then ask for a kick, then look again:
 * in any other order a kick could be lost and the queue stopped for good.
 */
static void vpnet_tx_stop(struct netdev_queue *txq, struct vpnet_queue *q,
			  u16 want)
{
	netif_tx_stop_queue(txq);
	vpnet_inc(&q->count.armed);
	if (!vpring_arm_ahead(&q->ring, want - 1))
		return;
	vpnet_inc(&q->count.rearmed);
	netif_tx_start_queue(txq);
}

/* A packet with offloads, in pieces, or for which one buffer is not enough */
static noinline enum vpnet_tx_room vpnet_tx_other(struct vpnet_queue *q,
						  struct sk_buff *skb,
						  u16 *want)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	enum vpnet_tx_room room;
	struct vpring_mark mark;

	if (unlikely(skb->len > VPNET_MAX_FRAME ||
		     !vpnet_tx_hdr(q, skb, &hdr.hdr)))
		return VPNET_TX_NEVER;
	vpring_save(&q->ring, &mark);
	room = vpnet_tx_reserve(q, q->hdr_len + skb->len, want);
	if (unlikely(room != VPNET_TX_ROOM))
		return room;

	/* always 1 without MRG_RXBUF; the short header does not have it */
	hdr.num_buffers = __cpu_to_virtio16(true, *want);
	if (unlikely(vpnet_tx_copy(q, skb, &hdr))) {
		vpring_rollback(&q->ring, &mark);
		vpnet_stats_add(&q->stats, &q->stats.errors, 1);
		return VPNET_TX_NEVER;
	}
	return VPNET_TX_ROOM;
}

netdev_tx_t vpnet_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct vpnet *vp = netdev_priv(dev);
	const u16 n = skb_get_queue_mapping(skb);
	struct netdev_queue *txq = netdev_get_tx_queue(dev, n);
	struct vpnet_queue *q = &vp->pair[n].queue[VPNET_ORIGIN_RX];
	u16 want;

	vpnet_inc(&q->count.polls);
	if (unlikely(!vpnet_usable(q)))
		goto drop;
	vpring_disarm(&q->ring);

	if (skb_is_nonlinear(skb) || skb->ip_summed == CHECKSUM_PARTIAL ||
	    skb_is_gso(skb) || !vpnet_tx_simple(q, skb->data, skb->len)) {
		switch (vpnet_tx_other(q, skb, &want)) {
		case VPNET_TX_ROOM:
			break;
		case VPNET_TX_WAIT:
			/* earlier frames must not wait with this one */
			vpnet_publish(q);
			/*
			 * Not earlier: what is too little for this frame is
			 * enough for smaller ones, and may be all the origin
			 * has
			 */
			vpnet_tx_stop(txq, q, want);
			return NETDEV_TX_BUSY;
		case VPNET_TX_BROKEN:
			vpnet_publish(q);
			vpnet_queue_break(q);
			goto drop;
		default:
			goto drop_flush;
		}
	}

	u64_stats_update_begin(&q->stats.sync);
	u64_stats_inc(&q->stats.packets);
	u64_stats_add(&q->stats.bytes, skb->len);
	u64_stats_update_end(&q->stats.sync);

	skb_tx_timestamp(skb);
	/* show a burst as a whole, unless the next frame has to wait */
	if (!vpring_pending(&q->ring)) {
		vpnet_publish(q);
		vpnet_tx_stop(txq, q, 1);
	} else if (!netdev_xmit_more()) {
		vpnet_publish(q);
	}
	vpnet_tx_consume(skb);
	return NETDEV_TX_OK;

drop_flush:
	if (!netdev_xmit_more())
		vpnet_publish(q);
drop:
	vpnet_stats_add(&q->stats, &q->stats.dropped, 1);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}
