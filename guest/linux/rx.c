// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive: empty the origin's transmit ring.
 */
#include <linux/etherdevice.h>
#include <linux/prefetch.h>
#include <linux/skbuff.h>
#include <linux/virtio_net.h>

#include "segs.h"
#include "vhost_pci_net.h"

/* Up to here one linear buffer is cheaper than page fragments */
#define VPNET_RX_LINEAR		2048

/* Of a larger frame: all headers of any sensible packet */
#define VPNET_RX_HEAD		256

static struct sk_buff *vpnet_rx_linear(struct vpnet *vp, struct vpsegs *it,
				       u32 len)
{
	struct sk_buff *skb = napi_alloc_skb(&vp->napi, len);

	if (likely(skb))
		vpsegs_read(it, skb_put(skb, len), len);
	return skb;
}

static struct sk_buff *vpnet_rx_paged(struct vpsegs *it, u32 len)
{
	const u32 room = NET_SKB_PAD + NET_IP_ALIGN;
	const u32 paged = len - VPNET_RX_HEAD;
	struct sk_buff *skb;
	int err, i;

	skb = alloc_skb_with_frags(room + VPNET_RX_HEAD, paged,
				   PAGE_ALLOC_COSTLY_ORDER, &err,
				   GFP_ATOMIC | __GFP_NOWARN);
	if (unlikely(!skb))
		return NULL;

	skb_reserve(skb, room);
	vpsegs_read(it, skb_put(skb, VPNET_RX_HEAD), VPNET_RX_HEAD);
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		vpsegs_read(it, skb_frag_address(frag), skb_frag_size(frag));
	}
	skb->data_len = paged;
	skb->len += paged;
	return skb;
}

static void vpnet_rx_error(struct vpnet_queue *q)
{
	vpnet_stats_add(&q->stats, &q->stats.errors, 1);
}

/* One frame of the origin, from a buffer that is checked but for its content */
static void vpnet_rx_frame(struct vpnet *vp, struct vpnet_queue *q,
			   const struct vpring_chain *chain)
{
	struct virtio_net_hdr_mrg_rxbuf hdr = {};
	struct vpsegs it;
	struct sk_buff *skb;
	u32 len;

	if (unlikely(chain->len < q->hdr_len + ETH_HLEN ||
		     chain->len > q->hdr_len + VPNET_MAX_FRAME)) {
		vpnet_rx_error(q);
		return;
	}
	len = chain->len - q->hdr_len;

	vpsegs_start(&it, q->segs);
	vpsegs_read(&it, &hdr, q->hdr_len);
	/* from here on only this copy counts; it must not be read again */
	barrier();
	if (unlikely(!vpnet_hdr_valid(&hdr.hdr, len, q->features))) {
		vpnet_rx_error(q);
		return;
	}

	if (len <= VPNET_RX_LINEAR)
		skb = vpnet_rx_linear(vp, &it, len);
	else
		skb = vpnet_rx_paged(&it, len);
	if (unlikely(!skb)) {
		vpnet_stats_add(&q->stats, &q->stats.dropped, 1);
		return;
	}

	if (hdr.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	    unlikely(virtio_net_hdr_to_skb(skb, &hdr.hdr, true)))
		goto bad;
	skb->protocol = eth_type_trans(skb, vp->dev);
	/* a tagged packet's inner protocol is checked when it is segmented */
	if (skb_is_gso(skb) && !eth_type_vlan(skb->protocol) &&
	    unlikely(!virtio_net_hdr_match_proto(skb->protocol,
						 hdr.hdr.gso_type)))
		goto bad;

	u64_stats_update_begin(&q->stats.sync);
	u64_stats_inc(&q->stats.packets);
	u64_stats_add(&q->stats.bytes, len);
	u64_stats_update_end(&q->stats.sync);
	napi_gro_receive(&vp->napi, skb);
	return;

bad:
	kfree_skb(skb);
	vpnet_rx_error(q);
}

static int vpnet_rx_work(struct vpnet *vp, struct vpnet_queue *q, int budget)
{
	struct vpring_chain chain;
	int done;

	for (done = 0; done < budget; done++) {
		enum vpring_result res;

		res = vpring_pop(&q->ring, q->segs, VPRING_MAX_SEGS, &chain);
		if (res == VPRING_EMPTY)
			break;
		if (unlikely(res != VPRING_OK)) {
			vpnet_ring_broken(vp, VPNET_ORIGIN_TX);
			break;
		}
		prefetch(q->segs[0].addr);
		vpnet_rx_frame(vp, q, &chain);
		vpring_fill(&q->ring, chain.head, 0);
	}

	/* also what came before the ring broke: it was fine */
	if (vpring_publish(&q->ring))
		vpnet_doorbell(vp, VPNET_ORIGIN_TX);
	return done;
}

int vpnet_poll(struct napi_struct *napi, int budget)
{
	struct vpnet *vp = container_of(napi, struct vpnet, napi);
	struct vpnet_queue *q = &vp->queue[VPNET_ORIGIN_TX];
	int done = 0;

	/* netpoll wants transmit completions only, and there are none */
	if (unlikely(!budget))
		return 0;

	/*
	 * Held for the whole round, so that whoever has taken it and switched
	 * the queue off knows that nobody looks at the window any more.  It
	 * also keeps the next round, perhaps on another CPU, from starting
	 * between napi_complete_done() and vpring_arm().
	 */
	spin_lock(&vp->rx_lock);
	vpnet_inc(&q->count.polls);
	if (likely(vpnet_usable(vp, VPNET_ORIGIN_TX))) {
		vpring_disarm(&q->ring);
		done = vpnet_rx_work(vp, q, budget);
	}
	if (done < budget && napi_complete_done(napi, done) &&
	    vpnet_usable(vp, VPNET_ORIGIN_TX)) {
		vpnet_inc(&q->count.armed);
		if (vpring_arm(&q->ring)) {
			vpnet_inc(&q->count.rearmed);
			napi_schedule(napi);
		}
	}
	spin_unlock(&vp->rx_lock);
	return done;
}

/* From process context: look at the ring even if no kick comes */
void vpnet_rx_schedule(struct vpnet *vp)
{
	/* the pair makes the raised softirq run at once */
	local_bh_disable();
	napi_schedule(&vp->napi);
	local_bh_enable();
}
