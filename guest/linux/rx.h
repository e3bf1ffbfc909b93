/* SPDX-License-Identifier: GPL-2.0-only */
/* Receive: from buffers of the origin to packets */
#ifndef VHOST_PCI_RX_H
#define VHOST_PCI_RX_H

#include <linux/if_ether.h>

#include "frame.h"
#include "round.h"
#include "segs.h"
#include "vhost_pci_net.h"

/* Frames become packets one after the other, and then go to the stack */
struct vpnet_rx_list {
	struct sk_buff *first;
	struct sk_buff **end;
};

int vpnet_rx_packets(struct vpnet_pair *pair, struct vpnet_round *round,
		     struct vpnet_rx_list *list, int budget);
void vpnet_rx_list_deliver(struct vpnet_pair *pair,
			   const struct vpnet_round *round,
			   struct vpnet_rx_list *list);
void vpnet_rx_pass(struct vpnet_pair *pair, struct vpnet_round *round,
		   struct sk_buff *skb);
struct sk_buff *vpnet_rx_skb(struct vpnet_pair *pair,
			     const struct virtio_net_hdr *hdr,
			     struct vpsegs *it, u32 len);

static inline void vpnet_rx_error(struct vpnet_queue *q)
{
	vpnet_stats_add(&q->stats, &q->stats.errors, 1);
}

static inline void vpnet_rx_dropped(struct vpnet_queue *q)
{
	vpnet_stats_add(&q->stats, &q->stats.dropped, 1);
}

/*
 * Does this buffer, whose pieces have been checked, hold a frame?  @it is set
 * to where the frame begins, @hdr to a private copy of its header.  Return: the
 * frame's length; 0 if it is none, which is counted as an error.
 */
static __always_inline u32 vpnet_rx_open(struct vpnet_queue *q,
					 const struct vpring_chain *chain,
					 struct virtio_net_hdr *hdr,
					 struct vpsegs *it)
{
	const u32 hdr_len = q->hdr_len;
	u32 len;

	if (unlikely(chain->len < hdr_len + ETH_HLEN ||
		     chain->len > hdr_len + VPNET_MAX_FRAME))
		goto error;
	len = chain->len - hdr_len;

	vpsegs_start(it, q->segs);
	vpsegs_read_hdr(it, hdr, hdr_len);
	/*
	 * only this copy counts from here on: do not let the compiler read
	 * again
	 */
	barrier();
	if (unlikely(!vpnet_hdr_valid(hdr, len, q->features)))
		goto error;
	return len;

error:
	vpnet_rx_error(q);
	return 0;
}

/*
 * The common case: a frame in one piece, not larger than @max, whose header
 * requests nothing.  Return: its length, with its place in @data; 0 for any
 * other, which is still in the ring and has to be checked from scratch.
 */
static __always_inline u32 vpnet_rx_simple(struct vpnet_queue *q, u32 max,
					   const void **data, u16 *head)
{
	const u32 hdr_len = q->hdr_len;
	struct vpring_seg seg;
	u8 flags, gso_type;

	if (!vpring_peek(&q->ring, &seg, head) ||
	    unlikely(seg.len - hdr_len - ETH_HLEN > max - ETH_HLEN))
		return 0;
	/* each is read only once */
	flags = READ_ONCE(((const struct virtio_net_hdr *)seg.addr)->flags);
	gso_type = READ_ONCE(((const struct virtio_net_hdr *)seg.addr)->gso_type);
	if ((flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || gso_type)
		return 0;
	vpring_take(&q->ring);
	*data = seg.addr + hdr_len;
	return seg.len - hdr_len;
}

#endif /* VHOST_PCI_RX_H */
