// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for received frames.  tests/driver runs this in user space, as it does
 * ring.c.
 */
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/string.h>

#include "rxbuf.h"

/* Linear part of a larger frame that does not say how long its headers are */
#define VPNET_RX_HEAD		256

/* Shorter headers are not believed: Ethernet, IPv4 and TCP */
#define VPNET_RX_MIN_HEAD	54

#define VPNET_RX_HEADROOM	(NET_SKB_PAD + NET_IP_ALIGN)

#define VPNET_RX_GFP		(GFP_ATOMIC | __GFP_NOWARN)

/* Chunks are optional, so do not dig into the reserves for them */
#define VPNET_RX_CHUNK_GFP	(GFP_NOWAIT | __GFP_NOWARN | __GFP_COMP)

static void vpnet_rxpages_free(struct vpnet_rxpages *p)
{
	/* a page that is in use elsewhere lives on until its users are done */
	while (p->count)
		put_page(p->page[--p->count]);
	p->turn = 0;
	p->left = 0;
}

static struct page *vpnet_rxpages_alloc(const struct vpnet_rxpages *p)
{
	if (p->size > PAGE_SIZE)
		return alloc_pages(VPNET_RX_CHUNK_GFP, get_order(p->size));
	return alloc_pages(VPNET_RX_GFP, 0);
}

static bool vpnet_rxpages_reusable(const struct page *page)
{
	/* the stack drops what is in memory from the reserves */
	return page_ref_count(page) == 1 && !page_is_pfmemalloc(page);
}

/* The next page's turn.  Return: is there one? */
static noinline bool vpnet_rxpages_turn(struct vpnet_rxbuf *rb,
					struct vpnet_rxpages *p)
{
	unsigned int next = p->turn + 1 < p->count ? p->turn + 1 : 0;
	struct page *page;

	/* whatever happens next, the last page is used up */
	p->left = 0;
	p->turns++;
	if (!p->count || !vpnet_rxpages_reusable(p->page[next])) {
		page = vpnet_rxpages_alloc(p);
		if (unlikely(!page)) {
			/* the page after it may be free */
			p->turn = next;
			return false;
		}
		/* all pages are in use: add one */
		if (!next && p->count < VPNET_RX_SLOTS &&
		    p->count < VPNET_RX_STOCK / p->size)
			next = p->count++;
		else
			put_page(p->page[next]);
		p->page[next] = page;
		rb->grown = true;
	}
	p->turn = next;
	p->at = page_address(p->page[next]);
	p->left = p->size;
	return true;
}

/* A piece of the page whose turn it is, from @left on */
static __always_inline bool vpnet_rxpages_cut(struct vpnet_rxbuf *rb,
					      struct vpnet_rxpages *p,
					      u32 size)
{
	if (p->left < size && unlikely(!vpnet_rxpages_turn(rb, p)))
		return false;
	p->left -= size;
	get_page(p->page[p->turn]);
	return true;
}

void vpnet_rxbuf_init(struct vpnet_rxbuf *rb)
{
	memset(rb, 0, sizeof(*rb));
	rb->pages.size = PAGE_SIZE;
	rb->chunks.size = VPNET_RX_CHUNK;
}

void vpnet_rxbuf_free(struct vpnet_rxbuf *rb)
{
	vpnet_rxpages_free(&rb->pages);
	vpnet_rxpages_free(&rb->chunks);
}

/* Not every page had its turn since the last call: fewer would do */
static void vpnet_rxpages_shrink(struct vpnet_rxpages *p)
{
	if (p->turns < p->count)
		vpnet_rxpages_free(p);
	p->turns = 0;
}

/*
 * Called from time to time: free pages that are no longer needed.  Return: are
 * there any left, so that this should be called again?
 */
bool vpnet_rxbuf_shrink(struct vpnet_rxbuf *rb)
{
	vpnet_rxpages_shrink(&rb->pages);
	vpnet_rxpages_shrink(&rb->chunks);
	return rb->pages.count || rb->chunks.count;
}

void *vpnet_rxbuf_piece_slow(struct vpnet_rxbuf *rb, u32 size)
{
	struct vpnet_rxpages *p = size > PAGE_SIZE ? &rb->chunks : &rb->pages;

	return vpnet_rxpages_cut(rb, p, size) ? p->at + p->left : NULL;
}

static __always_inline struct sk_buff *
vpnet_rxbuf_alloc(struct vpnet_rxbuf *rb, u32 len)
{
	const u32 size = vpnet_rxbuf_size(VPNET_RX_HEADROOM, len);
	struct sk_buff *skb;
	void *piece;

	/* half of a page this large is too much for a frame */
	if (PAGE_SIZE > SZ_16K)
		return alloc_skb(VPNET_RX_HEADROOM + len, VPNET_RX_GFP);
	piece = vpnet_rxbuf_piece(rb, size);
	if (unlikely(!piece))
		return NULL;
	skb = napi_build_skb(piece, size);
	if (unlikely(!skb))
		page_frag_free(piece);
	return skb;
}

static __always_inline struct sk_buff *
vpnet_rxbuf_linear(struct vpnet_rxbuf *rb, u32 len)
{
	struct sk_buff *skb = vpnet_rxbuf_alloc(rb, len);

	if (likely(skb)) {
		skb_reserve(skb, VPNET_RX_HEADROOM);
		__skb_put(skb, len);
	}
	return skb;
}

/* Add fragments for @len bytes, charged with what they really take */
static bool vpnet_rxbuf_frags(struct vpnet_rxbuf *rb, struct sk_buff *skb,
			      u32 len)
{
	struct vpnet_rxpages *p = &rb->chunks;
	unsigned int i;

	for (i = 0; len; i++) {
		u32 size = p->size;
		u32 n;

		/* the rest, or no chunk to be had: pages from here on */
		if (p == &rb->chunks &&
		    (len <= size / 2 || !vpnet_rxpages_cut(rb, p, size)))
			p = &rb->pages;
		if (p == &rb->pages) {
			size = len > PAGE_SIZE / 2 ? PAGE_SIZE : PAGE_SIZE / 2;
			if (unlikely(i == MAX_SKB_FRAGS ||
				     !vpnet_rxpages_cut(rb, p, size)))
				return false;
		}
		n = min(len, size);
		skb_add_rx_frag(skb, i, p->page[p->turn], p->left, n, size);
		len -= n;
	}
	return true;
}

static struct sk_buff *vpnet_rxbuf_paged(struct vpnet_rxbuf *rb, u32 len,
					 u32 head)
{
	struct sk_buff *skb = vpnet_rxbuf_linear(rb, head);

	if (likely(skb) &&
	    unlikely(!vpnet_rxbuf_frags(rb, skb, len - head))) {
		kfree_skb(skb);
		return NULL;
	}
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
 * A packet with a copy of the next @len bytes; NULL if there is no memory.
 * @head is the length of the headers, as the origin claims: it keeps payload
 * out of the linear part.  If the claim is false, the stack pulls what it
 * needs.
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
