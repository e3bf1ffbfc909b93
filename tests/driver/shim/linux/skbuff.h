/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets: where their bytes are and what they are charged, as the kernel does
 * it.  What it keeps behind the data is really there.
 */
#ifndef SHIM_LINUX_SKBUFF_H
#define SHIM_LINUX_SKBUFF_H

#include <stdlib.h>
#include <string.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#define NET_SKB_PAD		64
#define NET_IP_ALIGN		0
#define MAX_SKB_FRAGS		17
#define SKB_DATA_ALIGN(x)	(((x) + 63) & ~63U)
/* struct sk_buff of the kernel, which has more in it */
#define SHIM_SKB_SIZE		256

typedef struct {
	struct page *page;
	unsigned int size;
	unsigned int off;
} skb_frag_t;

struct skb_shared_info {
	u8 nr_frags;
	skb_frag_t frags[MAX_SKB_FRAGS];
};

struct sk_buff {
	unsigned int len;
	unsigned int data_len;
	unsigned int truesize;
	unsigned int head_size;
	bool head_frag;
	u8 *head;
	u8 *data;
};

static bool shim_skb_fail;

static inline struct skb_shared_info *skb_shinfo(const struct sk_buff *skb)
{
	return (void *)(skb->head + skb->head_size -
			SKB_DATA_ALIGN(sizeof(struct skb_shared_info)));
}

static inline unsigned int skb_headlen(const struct sk_buff *skb)
{
	return skb->len - skb->data_len;
}

static struct sk_buff *shim_skb(void *head, unsigned int size, bool head_frag)
{
	struct sk_buff *skb = calloc(1, sizeof(*skb));

	skb->head = skb->data = head;
	skb->head_size = size;
	skb->head_frag = head_frag;
	skb->truesize = SHIM_SKB_SIZE + size;
	memset(skb_shinfo(skb), 0, sizeof(struct skb_shared_info));
	return skb;
}

static struct sk_buff *napi_build_skb(void *head, unsigned int size)
{
	return shim_skb_fail ? NULL : shim_skb(head, size, true);
}

static inline struct sk_buff *alloc_skb(unsigned int len, gfp_t gfp)
{
	const unsigned int need = SKB_DATA_ALIGN(len) +
			SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	unsigned int size = 512;

	(void)gfp;
	/* kmalloc() has powers of two */
	while (size < need)
		size *= 2;
	if (shim_skb_fail || shim_mm.fail)
		return NULL;
	return shim_skb(malloc(size), size, false);
}

static inline void skb_reserve(struct sk_buff *skb, unsigned int len)
{
	skb->data += len;
}

static inline void __skb_put(struct sk_buff *skb, unsigned int len)
{
	skb->len += len;
}

static inline void skb_add_rx_frag(struct sk_buff *skb, int i,
				   struct page *page, int off, int size,
				   unsigned int truesize)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	assert(i == shinfo->nr_frags && i < MAX_SKB_FRAGS);
	shinfo->frags[i] = (skb_frag_t){ page, size, off };
	shinfo->nr_frags++;
	skb->len += size;
	skb->data_len += size;
	skb->truesize += truesize;
}

static inline void *skb_frag_address(const skb_frag_t *frag)
{
	return frag->page->va + frag->off;
}

static inline unsigned int skb_frag_size(const skb_frag_t *frag)
{
	return frag->size;
}

static void kfree_skb(struct sk_buff *skb)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	for (int i = 0; i < shinfo->nr_frags; i++)
		put_page(shinfo->frags[i].page);
	if (skb->head_frag)
		page_frag_free(skb->head);
	else
		free(skb->head);
	free(skb);
}

#endif /* SHIM_LINUX_SKBUFF_H */
