// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <net/page_pool.h>

#include "rxbuf.h"

/* Of a larger frame: all headers of any sensible packet, if it does not say */
#define VPNET_RX_HEAD		256

/* Less is not believed: Ethernet, IPv4 and TCP */
#define VPNET_RX_MIN_HEAD	54

#define VPNET_RX_HEADROOM	(NET_SKB_PAD + NET_IP_ALIGN)

/* Pieces of large frames: few for each frame, yet not hard to get */
#define VPNET_RX_PAGE_ORDER	3
#define VPNET_RX_PAGE_SIZE	(PAGE_SIZE << VPNET_RX_PAGE_ORDER)

/* 8 MiB of pages in stock, more than one TCP connection has under way */
#define VPNET_RX_POOL		256

#define VPNET_RX_GFP		(GFP_ATOMIC | __GFP_NOWARN)

void vpnet_rxbuf_init(struct vpnet_rxbuf *rb)
{
	const struct page_pool_params params = {
		.flags = PP_FLAG_PAGE_FRAG,
		.order = VPNET_RX_PAGE_ORDER,
		.pool_size = VPNET_RX_POOL,
		.nid = NUMA_NO_NODE,
	};

	memset(rb, 0, sizeof(*rb));
	rb->pool = page_pool_create(&params);
	if (IS_ERR(rb->pool))
		rb->pool = NULL;
}

/* What the stack still holds is freed when it lets go of it */
void vpnet_rxbuf_free(struct vpnet_rxbuf *rb)
{
	unsigned int i;

	for (i = 0; i < VPNET_RX_BLOCKS; i++) {
		struct page_frag_cache *block = &rb->block[i];

		if (block->va)
			__page_frag_cache_drain(virt_to_head_page(block->va),
						block->pagecnt_bias);
		block->va = NULL;
	}
	page_pool_destroy(rb->pool);
	rb->pool = NULL;
}

/* The block is used up: it may rest until all the others are, too */
void *vpnet_rxbuf_turn(struct vpnet_rxbuf *rb, u32 size)
{
	rb->at = (rb->at + 1) % VPNET_RX_BLOCKS;
	return page_frag_alloc(&rb->block[rb->at], size, VPNET_RX_GFP);
}

static __always_inline struct sk_buff *
vpnet_rxbuf_linear(struct vpnet_rxbuf *rb, u32 len)
{
	struct sk_buff *skb;
	void *piece;
	u32 size;

	piece = vpnet_rxbuf_piece(rb, VPNET_RX_HEADROOM, len, &size);
	if (unlikely(!piece))
		return NULL;
	skb = napi_build_skb(piece, size);
	if (unlikely(!skb)) {
		page_frag_free(piece);
		return NULL;
	}
	skb_reserve(skb, VPNET_RX_HEADROOM);
	__skb_put(skb, len);
	return skb;
}

static bool vpnet_rxbuf_pages(struct vpnet_rxbuf *rb, struct sk_buff *skb,
			      u32 len)
{
	unsigned int i;

	if (!rb->pool)
		return false;
	/* before the first: also what is freed half-way belongs to the pool */
	skb_mark_for_recycle(skb);
	for (i = 0; len; i++) {
		u32 n = min_t(u32, len, VPNET_RX_PAGE_SIZE);
		unsigned int offset;
		struct page *page;

		page = page_pool_alloc_frag(rb->pool, &offset, n, VPNET_RX_GFP);
		if (unlikely(!page))
			return false;
		skb_add_rx_frag(skb, i, page, offset, n, n);
		len -= n;
	}
	return true;
}

static struct sk_buff *vpnet_rxbuf_paged(struct vpnet_rxbuf *rb, u32 len,
					 u32 head)
{
	const u32 paged = len - head;
	struct sk_buff *skb;
	int err;

	skb = vpnet_rxbuf_linear(rb, head);
	if (likely(skb)) {
		if (likely(vpnet_rxbuf_pages(rb, skb, paged)))
			return skb;
		kfree_skb(skb);
	}

	/* no large pages left: small ones, and not from the pool */
	skb = alloc_skb_with_frags(VPNET_RX_HEADROOM + head, paged,
				   PAGE_ALLOC_COSTLY_ORDER, &err, VPNET_RX_GFP);
	if (unlikely(!skb))
		return NULL;
	skb_reserve(skb, VPNET_RX_HEADROOM);
	__skb_put(skb, head);
	skb->data_len = paged;
	skb->len += paged;
	return skb;
}

static void vpnet_rxbuf_fill(struct sk_buff *skb, struct vpsegs *it)
{
	int i;

	vpsegs_read(it, skb->data, skb_headlen(skb));
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		vpsegs_read(it, skb_frag_address(frag), skb_frag_size(frag));
	}
}

/* A packet with a copy of these bytes, at most VPNET_RX_LINEAR; or NULL */
struct sk_buff *vpnet_rxbuf_copy(struct vpnet_rxbuf *rb, const void *data,
				 u32 len)
{
	struct sk_buff *skb = vpnet_rxbuf_linear(rb, len);

	if (likely(skb))
		memcpy(skb->data, data, len);
	return skb;
}

/*
 * A packet with a copy of the next @len bytes; NULL when there is no memory.
 * @head is how many of them are headers, as the origin says: then the data are
 * in pages alone and are read in fewer pieces.  Should it not be true the stack
 * gathers what it needs.
 */
struct sk_buff *vpnet_rxbuf_skb(struct vpnet_rxbuf *rb, struct vpsegs *it,
				u32 len, u32 head)
{
	struct sk_buff *skb;

	if (likely(len <= VPNET_RX_LINEAR)) {
		skb = vpnet_rxbuf_linear(rb, len);
		if (likely(skb))
			vpsegs_read(it, skb->data, len);
		return skb;
	}
	if (head < VPNET_RX_MIN_HEAD || head > VPNET_RX_HEAD)
		head = VPNET_RX_HEAD;
	skb = vpnet_rxbuf_paged(rb, len, head);
	if (likely(skb))
		vpnet_rxbuf_fill(skb, it);
	return skb;
}
