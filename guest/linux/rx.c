// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive: empty the origin's transmit ring.
 */
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/jhash.h>
#include <linux/skbuff.h>
#include <linux/virtio_net.h>
#include <net/busy_poll.h>
#include <net/ip.h>

#include "rxbuf.h"
#include "segs.h"
#include "vhost_pci_net.h"

/*
 * Rounds of receive work in which GRO found nothing to merge, until it is
 * left out, and for how many rounds.  It costs a fifth of a small packet.
 */
#define VPNET_GRO_VAIN		4
#define VPNET_GRO_SKIP		15

/* Bytes of a round that is taken for a question and not for bulk data */
#define VPNET_RX_ANSWER		1024

/* What one round of receive work brought */
struct vpnet_round {
	struct list_head list;		/* for the stack, GRO left out */
	unsigned long packets;
	unsigned long bytes;
	unsigned int merged;
	bool gro;
	struct bpf_prog *prog;		/* XDP */
	unsigned int xdp_did;
};

static void vpnet_rx_error(struct vpnet_queue *q)
{
	vpnet_stats_add(&q->stats, &q->stats.errors, 1);
}

/*
 * Forwarders, above all fair queueing, and the choice of a queue or a CPU need
 * a hash of the flow.  Here, where the headers are known and were just copied,
 * it costs a quarter of what the flow dissector costs.  With a secret in it,
 * lest the origin choose its collisions.
 */
static void vpnet_rx_hash(const struct vpnet *vp, struct sk_buff *skb)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	enum pkt_hash_types type = PKT_HASH_TYPE_L3;
	u32 ports = 0;

	/* the rest is left to the dissector */
	if (skb->protocol != htons(ETH_P_IP) ||
	    skb_headlen(skb) < sizeof(*ip) + sizeof(ports) ||
	    ip->version != 4 || ip->ihl != sizeof(*ip) / 4)
		return;
	if ((ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) &&
	    !ip_is_fragment(ip)) {
		ports = get_unaligned((const u32 *)(ip + 1));
		type = PKT_HASH_TYPE_L4;
	}
	skb_set_hash(skb, jhash_3words((__force u32)ip->saddr,
				       (__force u32)ip->daddr,
				       ports ^ ip->protocol, vp->hash_key),
		     type);
}

/* Offloads and protocol of a packet; @hdr has been checked */
static __always_inline int vpnet_rx_finish(struct vpnet *vp,
					   struct sk_buff *skb,
					   const struct virtio_net_hdr *hdr)
{
	if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    unlikely(virtio_net_hdr_to_skb(skb, hdr, true)))
		return -EINVAL;
	skb->protocol = eth_type_trans(skb, vp->dev);
	/* a tagged packet's inner protocol is checked when it is segmented */
	if (skb_is_gso(skb) && !eth_type_vlan(skb->protocol) &&
	    unlikely(!virtio_net_hdr_match_proto(skb->protocol, hdr->gso_type)))
		return -EINVAL;
	if (vp->dev->features & NETIF_F_RXHASH)
		vpnet_rx_hash(vp, skb);
	return 0;
}

static __always_inline void vpnet_rx_deliver(struct vpnet_pair *pair,
					     struct vpnet_round *round,
					     struct sk_buff *skb)
{
	gro_result_t res;

	if (!round->gro) {
		skb_mark_napi_id(skb, &pair->napi);
		list_add_tail(&skb->list, &round->list);
		return;
	}
	res = napi_gro_receive(&pair->napi, skb);
	if (res == GRO_MERGED || res == GRO_MERGED_FREE)
		round->merged++;
}

/* The same as below, for an interface with an XDP program */
static noinline void vpnet_rx_xdp(struct vpnet_pair *pair,
				  const struct virtio_net_hdr *hdr,
				  struct vpsegs *it, u32 len,
				  struct vpnet_round *round)
{
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];
	struct net_device *dev = pair->vp->dev;
	struct sk_buff *skb;

	if (likely(len <= VPNET_XDP_MAX && !vpnet_hdr_requests(hdr))) {
		round->packets++;
		round->bytes += len;
		skb = vpnet_xdp_run(pair, round->prog, it, len,
				    &round->xdp_did);
		if (!skb)
			return;
		skb->protocol = eth_type_trans(skb, dev);
		vpnet_rx_deliver(pair, round, skb);
		return;
	}

	skb = vpnet_rxbuf_skb(&pair->rxbuf, it, len);
	if (unlikely(!skb)) {
		vpnet_stats_add(&q->stats, &q->stats.dropped, 1);
		return;
	}
	if (unlikely(vpnet_rx_finish(pair->vp, skb, hdr))) {
		kfree_skb(skb);
		vpnet_rx_error(q);
		return;
	}
	round->packets++;
	round->bytes += len;
	/* takes the packet, unless the program lets it pass */
	if (do_xdp_generic(round->prog, skb) == XDP_PASS)
		vpnet_rx_deliver(pair, round, skb);
}

/* One frame of the origin, from a buffer that is checked but for its content */
static __always_inline void vpnet_rx_frame(struct vpnet_pair *pair,
					   struct vpnet_queue *q,
					   const struct vpring_chain *chain,
					   struct vpnet_round *round)
{
	struct virtio_net_hdr hdr;
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
	vpsegs_read_hdr(&it, &hdr, q->hdr_len);
	/* from here on only this copy counts; it must not be read again */
	barrier();
	if (unlikely(!vpnet_hdr_valid(&hdr, len, q->features))) {
		vpnet_rx_error(q);
		return;
	}

	if (unlikely(round->prog)) {
		vpnet_rx_xdp(pair, &hdr, &it, len, round);
		return;
	}
	skb = vpnet_rxbuf_skb(&pair->rxbuf, &it, len);
	if (unlikely(!skb)) {
		vpnet_stats_add(&q->stats, &q->stats.dropped, 1);
		return;
	}
	if (unlikely(vpnet_rx_finish(pair->vp, skb, &hdr))) {
		kfree_skb(skb);
		vpnet_rx_error(q);
		return;
	}
	round->packets++;
	round->bytes += len;
	vpnet_rx_deliver(pair, round, skb);
}

/*
 * Is GRO worth it?  Only changed between rounds, and only while it holds
 * nothing back, so that no packet overtakes another.
 */
static bool vpnet_gro_wanted(struct vpnet_pair *pair)
{
	if (!pair->gro_skip || pair->napi.gro_bitmask)
		return true;
	pair->gro_skip--;
	return false;
}

static void vpnet_gro_learn(struct vpnet_pair *pair,
			    const struct vpnet_round *round)
{
	/* one packet alone could not have been merged with any */
	if (!round->gro || round->packets < 2)
		return;
	if (round->merged)
		pair->gro_vain = 0;
	else if (pair->gro_vain < VPNET_GRO_VAIN)
		pair->gro_vain++;
	else
		pair->gro_skip = VPNET_GRO_SKIP;
}

static void vpnet_rx_tell(struct vpnet_queue *q)
{
	if (vpring_publish(&q->ring))
		vpnet_doorbell(q);
}

static int vpnet_rx_work(struct vpnet_pair *pair, struct vpnet_queue *q,
			 int budget)
{
	struct vpnet_round round = {
		.list = LIST_HEAD_INIT(round.list),
		.gro = vpnet_gro_wanted(pair),
		.prog = rcu_dereference_bh(pair->vp->xdp_prog),
	};
	struct vpring_chain chain;
	int done;

	for (done = 0; done < budget; done++) {
		enum vpring_result res;

		res = vpring_pop(&q->ring, q->segs, VPRING_MAX_SEGS, &chain);
		if (res == VPRING_EMPTY)
			break;
		if (unlikely(res != VPRING_OK)) {
			vpnet_ring_broken(pair->vp, q);
			break;
		}
		vpnet_rx_frame(pair, q, &chain, &round);
		vpring_fill(&q->ring, chain.head, 0);
	}

	/* also what came before the ring broke: it was fine */
	vpring_show(&q->ring);
	/* the origin waits for the answer to few bytes, not for their buffers */
	if (round.bytes > VPNET_RX_ANSWER)
		vpnet_rx_tell(q);

	u64_stats_update_begin(&q->stats.sync);
	u64_stats_add(&q->stats.packets, round.packets);
	u64_stats_add(&q->stats.bytes, round.bytes);
	u64_stats_update_end(&q->stats.sync);
	vpnet_gro_learn(pair, &round);
	if (round.xdp_did)
		vpnet_xdp_flush(pair, round.xdp_did);
	/* late: the origin fills its ring again while the stack works */
	if (!round.gro)
		netif_receive_skb_list(&round.list);
	vpnet_coalesce_found(&pair->coalesce, done);
	return done;
}

/* NAPI is done: ask for the next kick */
static void vpnet_rx_arm(struct vpnet_pair *pair, struct vpnet_queue *q)
{
	u16 ahead = vpnet_coalesce_ahead(pair);

	vpnet_inc(&q->count.armed);
	if (vpring_arm_ahead(&q->ring, ahead)) {
		vpnet_inc(&q->count.rearmed);
		napi_schedule(&pair->napi);
	} else if (ahead) {
		vpnet_coalesce_wait(pair);
	}
}

int vpnet_poll(struct napi_struct *napi, int budget)
{
	struct vpnet_pair *pair = container_of(napi, struct vpnet_pair, napi);
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];
	bool complete;
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
	spin_lock(&pair->rx_lock);
	vpnet_inc(&q->count.polls);
	vpnet_coalesce_begin(&pair->coalesce);
	if (likely(vpnet_usable(q))) {
		vpring_disarm(&q->ring);
		done = vpnet_rx_work(pair, q, budget);
	}
	/* this sends to the stack what GRO has held, and the stack may answer */
	complete = done < budget && napi_complete_done(napi, done);
	if (likely(vpnet_usable(q))) {
		vpnet_rx_tell(q);
		if (complete)
			vpnet_rx_arm(pair, q);
	}
	spin_unlock(&pair->rx_lock);
	return done;
}

/* From process context: look at the ring even if no kick comes */
void vpnet_rx_schedule(struct vpnet_pair *pair)
{
	/* the pair makes the raised softirq run at once */
	local_bh_disable();
	napi_schedule(&pair->napi);
	local_bh_enable();
}
