/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory for received frames, used again without being allocated again */
#ifndef VHOST_PCI_RXBUF_H
#define VHOST_PCI_RXBUF_H

#include <linux/mm_types.h>
#include <linux/skbuff.h>

#include "segs.h"

struct page_pool;

/*
 * Small frames come from blocks of 32 KiB, which are cut into pieces one
 * after the other.  When a block's turn comes again its pieces have usually
 * all been freed, and then it is cut again as it is.  A kernel that clears
 * all it allocates (Debian's does) makes a fresh block expensive.
 */
#define VPNET_RX_BLOCKS		8

/* Up to here one linear buffer is cheaper than page fragments */
#define VPNET_RX_LINEAR		2048

/* Used under the lock of its receive ring */
struct vpnet_rxbuf {
	struct page_frag_cache block[VPNET_RX_BLOCKS];
	unsigned int at;
	struct page_pool *pool;		/* for large frames; or NULL */
};

void vpnet_rxbuf_init(struct vpnet_rxbuf *rb);
void vpnet_rxbuf_free(struct vpnet_rxbuf *rb);
void *vpnet_rxbuf_turn(struct vpnet_rxbuf *rb, u32 size);
struct sk_buff *vpnet_rxbuf_copy(struct vpnet_rxbuf *rb, const void *data,
				 u32 len);
struct sk_buff *vpnet_rxbuf_skb(struct vpnet_rxbuf *rb, struct vpsegs *it,
				u32 len, u32 head);

/*
 * Room for a packet of @len bytes in @size bytes; to be freed with
 * page_frag_free().  This is page_frag_alloc() as long as there is no need to
 * look at the block's page.
 */
static __always_inline void *vpnet_rxbuf_piece(struct vpnet_rxbuf *rb,
					       u32 headroom, u32 len,
					       u32 *size)
{
	struct page_frag_cache *block = &rb->block[rb->at];
	const u32 need = SKB_DATA_ALIGN(headroom + len) +
			 SKB_DATA_ALIGN(sizeof(struct skb_shared_info));

	*size = need;
	/* also before it has any memory */
	if (unlikely(block->offset < need))
		return vpnet_rxbuf_turn(rb, need);
	block->offset -= need;
	block->pagecnt_bias--;
	return block->va + block->offset;
}

#endif /* VHOST_PCI_RXBUF_H */
