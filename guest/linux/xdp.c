// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP: programs that see frames before the network stack does.
 *
 * Native for a frame that is complete as it is.  One that asks for a checksum
 * or for segmentation, or that is very large, becomes a packet first, which
 * the kernel's generic code shows to the program: so none gets past it, and
 * offloads work as without it.
 */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/xdp.h>

#include "segs.h"
#include "vhost_pci_net.h"

/* Back to the origin that it came from */
static bool vpnet_xdp_return(struct vpnet_pair *pair, const struct xdp_buff *xdp)
{
	const unsigned int n = pair - pair->vp->pair;
	struct netdev_queue *txq = netdev_get_tx_queue(pair->vp->dev, n);
	bool sent;

	__netif_tx_lock(txq, smp_processor_id());
	sent = vpnet_tx_raw(pair->vp, &pair->queue[VPNET_ORIGIN_RX], xdp->data,
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

/**
 * vpnet_xdp_run - copy a frame and run the program on it
 * @pair: where it comes from
 * @prog: the program
 * @it: the frame in the origin's memory
 * @len: its length
 * @did: what remains to be done at the end of the round
 *
 * Return: the packet for the stack, or NULL if there is none.
 */
struct sk_buff *vpnet_xdp_run(struct vpnet_pair *pair,
			      struct bpf_prog *prog, struct vpsegs *it,
			      u32 len, unsigned int *did)
{
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];
	struct net_device *dev = pair->vp->dev;
	struct xdp_buff xdp;
	struct sk_buff *skb;
	void *piece;
	u32 size, act;

	piece = vpnet_rxbuf_piece(&pair->rxbuf, XDP_PACKET_HEADROOM, len,
				  &size);
	if (unlikely(!piece)) {
		vpnet_stats_add(&q->stats, &q->stats.dropped, 1);
		return NULL;
	}
	xdp_init_buff(&xdp, size, &pair->xdp_rxq);
	xdp_prepare_buff(&xdp, piece, XDP_PACKET_HEADROOM, len, true);
	vpsegs_read(it, xdp.data, len);

	act = bpf_prog_run_xdp(prog, &xdp);
	switch (act) {
	case XDP_PASS:
		skb = vpnet_xdp_skb(&xdp);
		if (likely(skb))
			return skb;
		vpnet_stats_add(&q->stats, &q->stats.dropped, 1);
		break;
	case XDP_TX:
		/* copied at once, so the piece is free in any case */
		if (unlikely(!vpnet_xdp_return(pair, &xdp)))
			goto exception;
		vpnet_inc(&q->count.xdp_tx);
		*did |= VPNET_XDP_DID_TX;
		break;
	case XDP_REDIRECT:
		if (unlikely(xdp_do_redirect(dev, &xdp, prog)))
			goto exception;
		vpnet_inc(&q->count.xdp_redirects);
		*did |= VPNET_XDP_DID_REDIRECT;
		return NULL;
	default:
		bpf_warn_invalid_xdp_action(dev, prog, act);
		fallthrough;
	case XDP_ABORTED:
exception:
		trace_xdp_exception(dev, prog, act);
		fallthrough;
	case XDP_DROP:
		vpnet_inc(&q->count.xdp_drops);
		break;
	}
	page_frag_free(piece);
	return NULL;
}

/* At the end of a round */
void vpnet_xdp_flush(struct vpnet_pair *pair, unsigned int did)
{
	if (did & VPNET_XDP_DID_REDIRECT)
		xdp_do_flush();
	if (did & VPNET_XDP_DID_TX) {
		const unsigned int n = pair - pair->vp->pair;
		struct netdev_queue *txq;

		txq = netdev_get_tx_queue(pair->vp->dev, n);
		__netif_tx_lock(txq, smp_processor_id());
		vpnet_tx_flush(&pair->queue[VPNET_ORIGIN_RX]);
		__netif_tx_unlock(txq);
	}
}

/* Frames that a program of another interface has redirected to this one */
int vpnet_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		   u32 flags)
{
	struct vpnet *vp = netdev_priv(dev);
	unsigned int cpu = smp_processor_id();
	unsigned int i = cpu % dev->real_num_tx_queues;
	struct netdev_queue *txq = netdev_get_tx_queue(dev, i);
	struct vpnet_queue *q = &vp->pair[i].queue[VPNET_ORIGIN_RX];
	int sent;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	if (unlikely(!netif_running(dev) || !netif_carrier_ok(dev)))
		return -ENETDOWN;

	__netif_tx_lock(txq, cpu);
	for (sent = 0; sent < n; sent++) {
		struct xdp_frame *frame = frames[sent];

		/* the caller frees what is left */
		if (unlikely(xdp_frame_has_frags(frame)) ||
		    !vpnet_tx_raw(vp, q, frame->data, frame->len))
			break;
		xdp_return_frame(frame);
	}
	if (flags & XDP_XMIT_FLUSH)
		vpnet_tx_flush(q);
	txq_trans_cond_update(txq);
	__netif_tx_unlock(txq);
	return sent;
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
