/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory for received frames: pages that are used again when they are free */
#ifndef VHOST_PCI_RXBUF_H
#define VHOST_PCI_RXBUF_H

#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/skbuff.h>

#include "segs.h"

/* Up to here a frame is linear, and all that belongs to it fits one page */
#define VPNET_RX_LINEAR		2048

/* For large frames: few pieces each, yet easy to allocate */
#define VPNET_RX_CHUNK		(PAGE_SIZE << get_order(SZ_32K))

/* The most that a pair keeps of each kind, in bytes and in pages */
#define VPNET_RX_STOCK		SZ_2M
#define VPNET_RX_SLOTS		512

/*
 * Pages of one size, used in turn.  We hold one reference to each, and each
 * piece that was cut from it holds another.  A page that is still in use when
 * its turn comes is left to its users.  Reuse pays because kernels that clear
 * what they allocate (init_on_alloc, as Debian's) make a new page expensive.
 */
struct vpnet_rxpages {
	void *at;			/* the page whose turn it is */
	u32 left;			/* bytes of it not given out, from @at */
	u32 size;			/* of a page */
	unsigned int turn;
	unsigned int turns;		/* since vpnet_rxbuf_shrink() */
	unsigned int count;		/* of pages, as many as were needed */
	struct page *page[VPNET_RX_SLOTS];
};

/* Used under the lock of its receive ring */
struct vpnet_rxbuf {
	struct vpnet_rxpages pages;
	struct vpnet_rxpages chunks;
	bool grown;			/* shrink it some time */
};

void vpnet_rxbuf_init(struct vpnet_rxbuf *rb);
void vpnet_rxbuf_free(struct vpnet_rxbuf *rb);
bool vpnet_rxbuf_shrink(struct vpnet_rxbuf *rb);
void *vpnet_rxbuf_piece_slow(struct vpnet_rxbuf *rb, u32 size);
struct sk_buff *vpnet_rxbuf_copy(struct vpnet_rxbuf *rb, const void *data,
				 u32 len);
struct sk_buff *vpnet_rxbuf_skb(struct vpnet_rxbuf *rb, struct vpsegs *it,
				u32 len, u32 head);

/*
 * What a packet of @len bytes gets and is charged.  It pins at most twice as
 * much: the other half of its page, even when that is free again.  Smaller
 * pieces would be charged too little.
 */
static __always_inline u32 vpnet_rxbuf_size(u32 headroom, u32 len)
{
	const u32 need = SKB_DATA_ALIGN(headroom + len) +
			 SKB_DATA_ALIGN(sizeof(struct skb_shared_info));

	if (likely(need <= PAGE_SIZE / 2))
		return PAGE_SIZE / 2;
	return need <= PAGE_SIZE ? PAGE_SIZE : VPNET_RX_CHUNK;
}

/* Memory of such a size, to be freed with page_frag_free(); or NULL */
static __always_inline void *vpnet_rxbuf_piece(struct vpnet_rxbuf *rb,
					       u32 size)
{
	struct vpnet_rxpages *p = &rb->pages;

	/* also before there is any page */
	if (unlikely(p->left < size))
		return vpnet_rxbuf_piece_slow(rb, size);
	p->left -= size;
	get_page(p->page[p->turn]);
	return p->at + p->left;
}

#endif /* VHOST_PCI_RXBUF_H */
