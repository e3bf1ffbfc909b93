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

/* Used under the lock of its receive ring */
struct vpnet_rxbuf {
	struct page_frag_cache block[VPNET_RX_BLOCKS];
	unsigned int at;
	struct page_pool *pool;		/* for large frames; or NULL */
};

void vpnet_rxbuf_init(struct vpnet_rxbuf *rb);
void vpnet_rxbuf_free(struct vpnet_rxbuf *rb);
void *vpnet_rxbuf_piece(struct vpnet_rxbuf *rb, u32 headroom, u32 len,
			u32 *size);
struct sk_buff *vpnet_rxbuf_skb(struct vpnet_rxbuf *rb, struct vpsegs *it,
				u32 len);

#endif /* VHOST_PCI_RXBUF_H */
