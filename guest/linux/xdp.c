// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP programs on received frames.
 *
 * Native for a frame that is complete as it is.  One that requests a checksum
 * or segmentation, or is very large, becomes a packet first and goes through
 * the kernel's generic XDP.  So no frame gets past the program, and offloads
 * work as they do without one.
 */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/xdp.h>

#include "rx.h"
#include "tx.h"
#include "xdp.h"
#include "xdp_xmit.h"

/* Longest frame in one piece for a program: jumbo frames included */
#define VPNET_XDP_MAX		16384

/*
 * Back pressure: while the target has no buffers left, frames stay in the ring
 * of the origin that sent them and a timer makes us look again.  Bounds of that
 * time, in microseconds; it follows how long the target takes to make room.
 */
#define VPNET_XDP_HOLD_MIN	32
#define VPNET_XDP_HOLD_MAX	512

/* More room than this: it was too long; less: too short */
#define VPNET_XDP_HOLD_MUCH	128
#define VPNET_XDP_HOLD_LITTLE	32

/* So many times in a row without room: drop frames until there is some */
#define VPNET_XDP_HOLDS		128

/* One round's frames */
struct vpnet_xdp {
	struct bpf_prog *prog;
	struct xdp_buff xdp;
	void *spare;		/* xdp.frame_sz bytes that are free */
	unsigned int drops;
	unsigned int tx;
	unsigned int redirects;
	unsigned int sure;	/* redirects for which there is room */
};

/* Back to the origin that it came from */
static bool vpnet_xdp_return(struct vpnet_pair *pair,
			     const struct xdp_buff *xdp)
{
	const unsigned int n = pair - pair->vp->pair;
	struct netdev_queue *txq = netdev_get_tx_queue(pair->vp->dev, n);
	bool sent;

	__netif_tx_lock(txq, smp_processor_id());
	sent = vpnet_tx_raw(&pair->queue[VPNET_ORIGIN_RX], xdp->data,
			    xdp->data_end - xdp->data);
	__netif_tx_unlock(txq);
	return sent;
}

static struct sk_buff *vpnet_xdp_skb(const struct xdp_buff *xdp)
{
	struct sk_buff *skb = napi_build_skb(xdp->data_hard_start,
					     xdp->frame_sz);

	if (unlikely(!skb))
		return NULL;
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, xdp->data_end - xdp->data);
	if (xdp->data > xdp->data_meta)
		skb_metadata_set(skb, xdp->data - xdp->data_meta);
	return skb;
}

/* Anything but a redirection; false: the memory is in use now */
static noinline bool vpnet_xdp_verdict(struct vpnet_pair *pair,
				       struct vpnet_xdp *x, u32 act,
				       struct vpnet_round *round)
{
	struct net_device *dev = pair->vp->dev;
	struct sk_buff *skb;

	switch (act) {
	case XDP_PASS:
		skb = vpnet_xdp_skb(&x->xdp);
		if (unlikely(!skb)) {
			vpnet_rx_dropped(&pair->queue[VPNET_ORIGIN_TX]);
			return true;
		}
		skb->protocol = eth_type_trans(skb, dev);
		vpnet_rx_pass(pair, round, skb);
		return false;
	case XDP_TX:
		/* copied, so the memory is free either way */
		if (unlikely(!vpnet_xdp_return(pair, &x->xdp)))
			break;
		x->tx++;
		return true;
	case XDP_DROP:
		x->drops++;
		return true;
	case XDP_ABORTED:
	case XDP_REDIRECT:
		break;
	default:
		bpf_warn_invalid_xdp_action(dev, x->prog, act);
	}
	trace_xdp_exception(dev, x->prog, act);
	x->drops++;
	return true;
}

/* Memory for a frame, set up for the program */
static __always_inline bool vpnet_xdp_prepare(struct vpnet_pair *pair,
					      struct vpnet_xdp *x, u32 len)
{
	const u32 size = vpnet_rxbuf_size(XDP_PACKET_HEADROOM, len);
	void *piece = x->spare;

	/* not a larger one: it is charged if the frame passes */
	if (!piece || x->xdp.frame_sz != size) {
		if (unlikely(piece))
			page_frag_free(piece);
		piece = vpnet_rxbuf_piece(&pair->rxbuf, size);
		x->spare = piece;
		x->xdp.frame_sz = size;
		if (unlikely(!piece)) {
			vpnet_rx_dropped(&pair->queue[VPNET_ORIGIN_TX]);
			return false;
		}
	}
	x->xdp.flags = 0;
	xdp_prepare_buff(&x->xdp, piece, XDP_PACKET_HEADROOM, len, true);
	return true;
}

/* The frame has been copied: run the program on it */
static __always_inline void vpnet_xdp_run(struct vpnet_pair *pair,
					  struct vpnet_xdp *x, u32 len,
					  struct vpnet_round *round)
{
	u32 act;

	round->packets++;
	round->bytes += len;
	act = bpf_prog_run_xdp(x->prog, &x->xdp);
	if (likely(act == XDP_REDIRECT) &&
	    likely(!xdp_do_redirect(pair->vp->dev, &x->xdp, x->prog))) {
		x->redirects++;
		x->spare = NULL;
		return;
	}
	if (!vpnet_xdp_verdict(pair, x, act, round))
		x->spare = NULL;
}

/* A frame in pieces, or one that has to become a packet first */
static noinline enum vpring_result vpnet_xdp_other(struct vpnet_pair *pair,
						   struct vpnet_xdp *x,
						   struct vpnet_round *round)
{
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];
	struct virtio_net_hdr hdr;
	struct vpring_chain chain;
	enum vpring_result res;
	struct sk_buff *skb;
	struct vpsegs it;
	u32 len;

	res = vpring_pop(&q->ring, q->segs, VPRING_MAX_SEGS, &chain);
	if (res != VPRING_OK)
		return res;
	len = vpnet_rx_open(q, &chain, &hdr, &it);
	if (unlikely(!len))
		goto fill;
	if (len <= VPNET_XDP_MAX && !vpnet_hdr_requests(&hdr)) {
		if (likely(vpnet_xdp_prepare(pair, x, len))) {
			vpsegs_read(&it, x->xdp.data, len);
			vpnet_xdp_run(pair, x, len, round);
		}
		goto fill;
	}
	skb = vpnet_rx_skb(pair, &hdr, &it, len);
	if (likely(skb)) {
		round->packets++;
		round->bytes += len;
		/* consumes the packet unless it passes */
		if (do_xdp_generic(x->prog, skb) == XDP_PASS)
			vpnet_rx_pass(pair, round, skb);
	}
fill:
	vpring_fill(&q->ring, chain.head, 0);
	return res;
}

static void vpnet_xdp_begin(struct vpnet_pair *pair, struct vpnet_xdp *x)
{
	vpnet_xdp_target_forget();
	/*
	 * if there was no room, one frame has to find out whether there is now
	 */
	x->sure = max(pair->xdp_room, 1U);
	if (pair->xdp_holds > VPNET_XDP_HOLDS)
		x->sure = U32_MAX;
}

/* More frames may not find room.  Return: can the round go on? */
static noinline bool vpnet_xdp_look(struct vpnet_pair *pair,
				    struct vpnet_xdp *x)
{
	u32 room;

	xdp_do_flush();
	room = vpnet_xdp_target_room(x->redirects);
	if (!room)
		return false;
	x->sure = room == U32_MAX ? room : x->redirects + room;
	if (pair->xdp_holds) {
		pair->xdp_holds = 0;
		if (room > VPNET_XDP_HOLD_MUCH)
			pair->xdp_hold /= 2;
		else if (room < VPNET_XDP_HOLD_LITTLE)
			pair->xdp_hold *= 2;
	}
	return true;
}

/* The round ends with frames that wait for room */
static void vpnet_xdp_hold(struct vpnet_pair *pair, struct vpnet_round *round)
{
	pair->xdp_holds++;
	pair->xdp_hold = clamp_t(u32, pair->xdp_hold, VPNET_XDP_HOLD_MIN,
				 VPNET_XDP_HOLD_MAX);
	round->hold = pair->xdp_hold;
}

/* At the end of a round */
static void vpnet_xdp_flush(struct vpnet_pair *pair, const struct vpnet_xdp *x)
{
	struct vpnet_counters *count = &pair->queue[VPNET_ORIGIN_TX].count;
	const unsigned int n = pair - pair->vp->pair;
	struct netdev_queue *txq;

	WRITE_ONCE(count->xdp_drops, count->xdp_drops + x->drops);
	if (x->spare)
		page_frag_free(x->spare);
	if (x->redirects) {
		WRITE_ONCE(count->xdp_redirects,
			   count->xdp_redirects + x->redirects);
		xdp_do_flush();
		pair->xdp_room = vpnet_xdp_target_room(x->redirects);
		if (pair->xdp_room)
			pair->xdp_holds = 0;
	}
	if (x->tx) {
		WRITE_ONCE(count->xdp_tx, count->xdp_tx + x->tx);
		txq = netdev_get_tx_queue(pair->vp->dev, n);
		__netif_tx_lock(txq, smp_processor_id());
		vpnet_publish(&pair->queue[VPNET_ORIGIN_RX]);
		__netif_tx_unlock(txq);
	}
}

/**
 * vpnet_xdp_work - receive with an XDP program
 * @pair: where it comes from
 * @prog: the program
 * @round: what it brings
 * @budget: number of frames at most
 *
 * Return: how many there were; less than @budget, with @round->hold set, also
 * when those that are left had better wait.
 */
int vpnet_xdp_work(struct vpnet_pair *pair, struct bpf_prog *prog,
		   struct vpnet_round *round, int budget)
{
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];
	struct vpnet_xdp x = { .prog = prog };
	enum vpring_result res;
	const void *data;
	int done;
	u16 head;
	u32 len;

	xdp_init_buff(&x.xdp, 0, &pair->xdp_rxq);
	vpnet_xdp_begin(pair, &x);
	for (done = 0; done < budget; done++) {
		if (unlikely(x.redirects >= x.sure) &&
		    !vpnet_xdp_look(pair, &x)) {
			vpnet_xdp_hold(pair, round);
			break;
		}
		len = vpnet_rx_simple(q, VPNET_XDP_MAX, &data, &head);
		if (likely(len)) {
			if (likely(vpnet_xdp_prepare(pair, &x, len))) {
				memcpy(x.xdp.data, data, len);
				vpnet_xdp_run(pair, &x, len, round);
			}
			vpring_fill(&q->ring, head, 0);
			continue;
		}
		res = vpnet_xdp_other(pair, &x, round);
		if (res == VPRING_EMPTY)
			break;
		if (unlikely(res != VPRING_OK)) {
			vpnet_queue_break(q);
			break;
		}
	}
	vpnet_xdp_flush(pair, &x);
	return done;
}

static int vpnet_xdp_set(struct vpnet *vp, struct bpf_prog *prog)
{
	struct bpf_prog *old = rtnl_dereference(vp->xdp_prog);

	rcu_assign_pointer(vp->xdp_prog, prog);
	if (old)
		bpf_prog_put(old);
	return 0;
}

int vpnet_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	switch (bpf->command) {
	case XDP_SETUP_PROG:
		return vpnet_xdp_set(netdev_priv(dev), bpf->prog);
	default:
		return -EINVAL;
	}
}

/* The interface goes up */
int vpnet_xdp_open(struct vpnet *vp)
{
	unsigned int i;
	int err;

	for (i = 0; i < vp->pairs; i++) {
		struct vpnet_pair *pair = &vp->pair[i];

		err = xdp_rxq_info_reg(&pair->xdp_rxq, vp->dev, i,
				       pair->napi.napi_id);
		if (err)
			goto undo;
		err = xdp_rxq_info_reg_mem_model(&pair->xdp_rxq,
						 MEM_TYPE_PAGE_SHARED, NULL);
		if (err) {
			xdp_rxq_info_unreg(&pair->xdp_rxq);
			goto undo;
		}
	}
	return 0;

undo:
	while (i--)
		xdp_rxq_info_unreg(&vp->pair[i].xdp_rxq);
	return err;
}

void vpnet_xdp_close(struct vpnet *vp)
{
	unsigned int i;

	for (i = 0; i < vp->pairs; i++)
		xdp_rxq_info_unreg(&vp->pair[i].xdp_rxq);
}
