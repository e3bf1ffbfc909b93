// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive: frames in the origin's transmit ring become packets.
 */
#include <linux/etherdevice.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/skbuff.h>
#include <linux/virtio_net.h>
#include <net/busy_poll.h>
#include <net/ip.h>

#include "rx.h"
#include "tc.h"

/*
 * Fair queueing and the choice of a queue or a CPU need a hash of the flow.
 * Here the headers are in the cache, and it costs an eighth of what the flow
 * dissector takes.  Multiplied by secrets, so that the origin cannot choose
 * collisions.
 */
static __always_inline void vpnet_rx_hash(const struct vpnet *vp,
					  struct sk_buff *skb)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	enum pkt_hash_types type = PKT_HASH_TYPE_L3;
	u64 hash = ip->protocol;

	/* leave everything else to the dissector */
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
	/* segmentation checks a tagged packet's inner protocol */
	if (skb_is_gso(skb) && !eth_type_vlan(skb->protocol) &&
	    unlikely(!virtio_net_hdr_match_proto(skb->protocol, hdr->gso_type)))
		return -EINVAL;
	if (vp->dev->features & NETIF_F_RXHASH)
		vpnet_rx_hash(vp, skb);
	return 0;
}

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
 * Not netif_receive_skb_list(): moving each packet from list to list costs more
 * than it saves when packets are soon dropped, bridged or forwarded by tc.
 */
void vpnet_rx_list_deliver(struct vpnet_pair *pair,
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

/* A complete packet; NULL if it was dropped, which is counted */
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
	/* let the sender of much data go on while we copy the next frame */
	if (len > VPNET_RX_LINEAR)
		vpnet_publish(q);
	return res;
}

/* The common case of eth_type_trans(), inline */
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

/* Take up to @budget frames.  Return: how many there were */
int vpnet_rx_packets(struct vpnet_pair *pair, struct vpnet_round *round,
		     struct vpnet_rx_list *list, int budget)
{
	struct vpnet_queue *q = &pair->queue[VPNET_ORIGIN_TX];
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
			vpnet_queue_break(q);
			break;
		}
	}
	return done;
}
