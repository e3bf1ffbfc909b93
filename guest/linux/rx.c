// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive: empty the origin's transmit ring.
 */
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/sizes.h>
#include <linux/skbuff.h>
#include <linux/virtio_net.h>
#include <net/busy_poll.h>
#include <net/ip.h>

#include "rx.h"
#include "rxbuf.h"
#include "segs.h"
#include "vhost_pci_net.h"

/*
 * Rounds of receive work in which GRO found nothing to merge, until it is
 * left out, and for how many rounds: twice as many after each of the next
 * tries.  It costs a third of a small packet.
 */
#define VPNET_GRO_VAIN		4
#define VPNET_GRO_SKIP		15
#define VPNET_GRO_TRIES		4	/* that make it longer */

/* Bytes of a round that is taken for a question and not for bulk data */
#define VPNET_RX_ANSWER		1024

/* ... and of one whose sender counts what it has on its way */
#define VPNET_RX_BULK		SZ_16K

/* Pages that were not needed for so long are given back */
#define VPNET_RX_SHRINK		(10 * HZ)

/* Used buffers not told of: half of what fills a socket's send buffer */
#define VPNET_RX_UNTOLD		128

/*
 * Forwarders, above all fair queueing, and the choice of a queue or a CPU need
 * a hash of the flow.  Here, where the headers are known and were just copied,
 * it costs an eighth of what the flow dissector costs.  Multiplied by secrets,
 * so that the origin cannot choose its collisions.
 */
static __always_inline void vpnet_rx_hash(const struct vpnet *vp,
					  struct sk_buff *skb)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	enum pkt_hash_types type = PKT_HASH_TYPE_L3;
	u64 hash = ip->protocol;

	/* the rest is left to the dissector */
	if (skb->protocol != htons(ETH_P_IP) ||
	    skb_headlen(skb) < sizeof(*ip) + sizeof(u32) ||
	    *(const u8 *)ip != (4 << 4 | sizeof(*ip) / 4))
		return;
	if ((ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) &&
	    !ip_is_fragment(ip)) {
		hash ^= (u64)get_unaligned((const u32 *)(ip + 1)) << 8;
		type = PKT_HASH_TYPE_L4;
	}
	hash *= vp->hash_key[0];
	hash += (__force u32)ip->saddr * vp->hash_key[1];
	hash += (__force u32)ip->daddr * vp->hash_key[2];
	skb_set_hash(skb, hash >> 32, type);
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

/* Frames become packets one after the other, and then go to the stack */
struct vpnet_rx_list {
	struct sk_buff *first;
	struct sk_buff **end;
};

static __always_inline void vpnet_rx_deliver(struct vpnet_pair *pair,
					     struct vpnet_round *round,
					     struct vpnet_rx_list *list,
					     struct sk_buff *skb)
{
	gro_result_t res;

	if (!round->gro) {
		skb_mark_napi_id(skb, &pair->napi);
		*list->end = skb;
		list->end = &skb->next;
		return;
	}
	res = napi_gro_receive(&pair->napi, skb);
	if (res == GRO_MERGED || res == GRO_MERGED_FREE)
		round->merged++;
}

/*
 * Not netif_receive_skb_list(), which moves each packet from list to list: it
 * saves less than that costs when packets are dropped, forwarded by tc or
 * bridged, which happens soon after.
 */
static void vpnet_rx_list_deliver(struct vpnet_pair *pair,
				  const struct vpnet_round *round,
				  struct vpnet_rx_list *list)
{
	struct sk_buff *skb, *next;

	*list->end = NULL;
	for (skb = list->first; skb; skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		if (round->to)
			vpnet_tc_forward(pair, round->to, skb);
		else
			netif_receive_skb(skb);
	}
}

/* A packet that an XDP program lets pass */
void vpnet_rx_pass(struct vpnet_pair *pair, struct vpnet_round *round,
		   struct sk_buff *skb)
{
	struct vpnet_rx_list list;

	list.end = &list.first;
	vpnet_rx_deliver(pair, round, &list, skb);
	vpnet_rx_list_deliver(pair, round, &list);
}

/* A packet with all that belongs to it; what is in the way is counted */
struct sk_buff *vpnet_rx_skb(struct vpnet_pair *pair,
			     const struct virtio_net_hdr *hdr,
			     struct vpsegs *it, u32 len)
{
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];
	const u32 head = hdr->gso_type ? __virtio16_to_cpu(true, hdr->hdr_len) :
					 0;
	struct sk_buff *skb = vpnet_rxbuf_skb(&pair->rxbuf, it, len, head);

	if (unlikely(!skb)) {
		vpnet_rx_dropped(q);
		return NULL;
	}
	if (unlikely(vpnet_rx_finish(pair->vp, skb, hdr))) {
		kfree_skb(skb);
		vpnet_rx_error(q);
		return NULL;
	}
	return skb;
}

/*
 * Is GRO worth it?  Only changed between rounds, and only while it holds
 * nothing back, so that no packet overtakes another.
 */
static bool vpnet_gro_wanted(struct vpnet_pair *pair,
			     const struct vpnet_round *round)
{
	/* it would give packets to the stack */
	if (unlikely(round->to)) {
		if (pair->napi.gro_bitmask)
			napi_gro_flush(&pair->napi, false);
		return false;
	}
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
	if (round->merged) {
		pair->gro_vain = 0;
		pair->gro_tries = 0;
	} else if (pair->gro_vain < VPNET_GRO_VAIN) {
		pair->gro_vain++;
	} else {
		pair->gro_skip = VPNET_GRO_SKIP << pair->gro_tries;
		if (pair->gro_tries < VPNET_GRO_TRIES)
			pair->gro_tries++;
	}
}

static void vpnet_rx_tell(struct vpnet_queue *q)
{
	if (vpring_publish(&q->ring))
		vpnet_doorbell(q);
}

/*
 * The origin sees used buffers without being told, whenever it sends.  It is
 * told when it might wait for them: they are many, of much data, or we may
 * not look again soon.
 */
static bool vpnet_rx_telling(const struct vpnet_pair *pair,
			     const struct vpnet_queue *q,
			     const struct vpnet_round *round)
{
	return !pair->ahead || round->bytes > VPNET_RX_BULK ||
	       vpring_untold(&q->ring) >= min_t(u32, VPNET_RX_UNTOLD,
						q->ring.size / 2);
}

/* A large frame, or one with offloads or in pieces */
static noinline enum vpring_result vpnet_rx_other(struct vpnet_pair *pair,
						  struct vpnet_queue *q,
						  struct vpnet_round *round,
						  struct vpnet_rx_list *list)
{
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
	if (likely(len)) {
		skb = vpnet_rx_skb(pair, &hdr, &it, len);
		if (likely(skb)) {
			round->packets++;
			round->bytes += len;
			vpnet_rx_deliver(pair, round, list, skb);
		}
	}
	vpring_fill(&q->ring, chain.head, 0);
	/* the sender of much data goes on while we copy the next piece */
	if (len > VPNET_RX_LINEAR)
		vpnet_rx_tell(q);
	return res;
}

/* eth_type_trans() in line for what is neither rare nor special */
static __always_inline __be16 vpnet_rx_type(struct sk_buff *skb,
					    struct net_device *dev)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;

	if (unlikely(!eth_proto_is_802_3(eth->h_proto) ||
		     is_multicast_ether_addr_64bits(eth->h_dest)))
		return eth_type_trans(skb, dev);
	skb->dev = dev;
	skb_reset_mac_header(skb);
	__skb_pull(skb, ETH_HLEN);
	if (!ether_addr_equal_64bits(eth->h_dest, dev->dev_addr))
		skb->pkt_type = PACKET_OTHERHOST;
	return eth->h_proto;
}

static __always_inline int vpnet_rx_packets(struct vpnet_pair *pair,
					    struct vpnet_queue *q,
					    struct vpnet_round *round,
					    struct vpnet_rx_list *list,
					    int budget)
{
	struct vpnet *vp = pair->vp;
	enum vpring_result res;
	struct sk_buff *skb;
	const void *data;
	int done;
	u16 head;
	u32 len;

	for (done = 0; done < budget; done++) {
		len = vpnet_rx_simple(q, VPNET_RX_LINEAR, &data, &head);
		if (likely(len)) {
			skb = vpnet_rxbuf_copy(&pair->rxbuf, data, len);
			vpring_fill(&q->ring, head, 0);
			if (unlikely(!skb)) {
				vpnet_rx_dropped(q);
				continue;
			}
			skb->protocol = vpnet_rx_type(skb, vp->dev);
			if (vp->dev->features & NETIF_F_RXHASH)
				vpnet_rx_hash(vp, skb);
			round->packets++;
			round->bytes += len;
			vpnet_rx_deliver(pair, round, list, skb);
			continue;
		}
		res = vpnet_rx_other(pair, q, round, list);
		if (res == VPRING_EMPTY)
			break;
		if (unlikely(res != VPRING_OK)) {
			vpnet_ring_broken(vp, q);
			break;
		}
	}
	return done;
}

static int vpnet_rx_work(struct vpnet_pair *pair, struct vpnet_queue *q,
			 struct vpnet_round *round, int budget)
{
	struct bpf_prog *prog = rcu_dereference_bh(pair->vp->xdp_prog);
	struct vpnet_rx_list list;
	int done;

	round->to = rcu_dereference_bh(pair->vp->redirect);
	/* a program may send some elsewhere */
	if (unlikely(round->to) && !prog &&
	    vpnet_tc_busy(pair, round->to, round))
		return 0;
	round->gro = vpnet_gro_wanted(pair, round);
	list.end = &list.first;
	if (unlikely(prog))
		done = vpnet_xdp_work(pair, prog, round, budget);
	else
		done = vpnet_rx_packets(pair, q, round, &list, budget);

	/* also what came before the ring broke: it was fine */
	vpring_show(&q->ring);
	/* the origin waits for the answer to few bytes, not for their buffers */
	if (round->bytes > VPNET_RX_ANSWER && vpnet_rx_telling(pair, q, round))
		vpnet_rx_tell(q);

	u64_stats_update_begin(&q->stats.sync);
	u64_stats_add(&q->stats.packets, round->packets);
	u64_stats_add(&q->stats.bytes, round->bytes);
	u64_stats_update_end(&q->stats.sync);
	vpnet_gro_learn(pair, round);
	vpnet_coalesce_found(&pair->coalesce, done);
	/* last: the origin fills its ring again while the stack works */
	vpnet_rx_list_deliver(pair, round, &list);
	return done;
}

/* NAPI is done: ask for the next kick */
static void vpnet_rx_arm(struct vpnet_pair *pair, struct vpnet_queue *q,
			 u32 hold)
{
	if (unlikely(hold)) {
		vpnet_inc(&q->count.holds);
		vpnet_coalesce_hold(pair, hold);
		return;
	}
	vpnet_inc(&q->count.armed);
	if (vpring_arm_ahead(&q->ring, pair->ahead)) {
		vpnet_inc(&q->count.rearmed);
		napi_schedule(&pair->napi);
	} else if (pair->ahead) {
		vpnet_coalesce_wait(pair);
	}
}

int vpnet_poll(struct napi_struct *napi, int budget)
{
	struct vpnet_pair *pair = container_of(napi, struct vpnet_pair, napi);
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];
	struct vpnet_round round = {};
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
		done = vpnet_rx_work(pair, q, &round, budget);
	}
	/* this sends to the stack what GRO has held, and the stack may answer */
	complete = done < budget && napi_complete_done(napi, done);
	if (likely(vpnet_usable(q))) {
		if (complete)
			pair->ahead = vpnet_coalesce_ahead(pair);
		/* after a wait in which nothing came another would be long */
		if (!done || vpnet_rx_telling(pair, q, &round))
			vpnet_rx_tell(q);
		if (complete)
			vpnet_rx_arm(pair, q, round.hold);
	}
	if (unlikely(pair->rxbuf.grown)) {
		pair->rxbuf.grown = false;
		schedule_delayed_work(&pair->vp->rxbuf_work, VPNET_RX_SHRINK);
	}
	spin_unlock(&pair->rx_lock);
	return done;
}

/* Some time after there were new pages, until all have been given back */
void vpnet_rx_shrink_work(struct work_struct *work)
{
	struct vpnet *vp = container_of(to_delayed_work(work), struct vpnet,
					rxbuf_work);
	bool more = false;
	unsigned int i;

	for (i = 0; i < vp->pairs; i++) {
		struct vpnet_pair *pair = &vp->pair[i];

		spin_lock_bh(&pair->rx_lock);
		more |= vpnet_rxbuf_shrink(&pair->rxbuf);
		spin_unlock_bh(&pair->rx_lock);
	}
	if (more)
		schedule_delayed_work(&vp->rxbuf_work, VPNET_RX_SHRINK);
}

/*
 * Nobody looks at the ring for a while: what was not told is told now.
 * Called with the receive lock.
 */
void vpnet_rx_settle(struct vpnet_pair *pair)
{
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];

	if (vpnet_usable(q))
		vpnet_rx_tell(q);
}

/* From process context: look at the ring even if no kick comes */
void vpnet_rx_schedule(struct vpnet_pair *pair)
{
	/* the pair makes the raised softirq run at once */
	local_bh_disable();
	napi_schedule(&pair->napi);
	local_bh_enable();
}
