/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that are counted, and an allocator that fails on demand.  Each page is
 * memory of its own, so that the address sanitizer sees who uses one that is
 * free.  For one source file, which may choose PAGE_SHIFT.
 */
#ifndef SHIM_LINUX_MM_H
#define SHIM_LINUX_MM_H

#include <assert.h>
#include <stdlib.h>
#include <linux/types.h>

#ifndef PAGE_SHIFT
#define PAGE_SHIFT	12
#endif
#define PAGE_SIZE	(1UL << PAGE_SHIFT)

typedef unsigned int gfp_t;

#define GFP_ATOMIC	1
#define GFP_NOWAIT	2
#define __GFP_COMP	4
#define __GFP_NOWARN	8

struct page {
	int refs;
	unsigned int order;
	bool pfmemalloc;
	u8 *va;
	struct page *next;
};

static struct {
	struct page *pages;		/* all that are not free */
	size_t bytes;			/* in them */
	unsigned int allocated;		/* pages, so far */
	bool fail;
	bool fail_chunks;		/* ... of more than one page */
	bool pfmemalloc;		/* from the reserves */
} shim_mm;

static inline unsigned int get_order(unsigned long size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

static struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	struct page *page;

	assert(!order || (gfp & __GFP_COMP));
	assert(gfp & __GFP_NOWARN);
	if (shim_mm.fail || (order && shim_mm.fail_chunks))
		return NULL;
	page = calloc(1, sizeof(*page));
	page->refs = 1;
	page->order = order;
	page->pfmemalloc = shim_mm.pfmemalloc;
	page->va = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
	page->next = shim_mm.pages;
	shim_mm.pages = page;
	shim_mm.bytes += PAGE_SIZE << order;
	shim_mm.allocated++;
	return page;
}

static inline void *page_address(const struct page *page)
{
	return page->va;
}

static inline int page_ref_count(const struct page *page)
{
	return page->refs;
}

static inline bool page_is_pfmemalloc(const struct page *page)
{
	return page->pfmemalloc;
}

static inline void get_page(struct page *page)
{
	assert(page->refs > 0);
	page->refs++;
}

static void put_page(struct page *page)
{
	struct page **at = &shim_mm.pages;

	assert(page->refs > 0);
	if (--page->refs)
		return;
	while (*at != page)
		at = &(*at)->next;
	*at = page->next;
	shim_mm.bytes -= PAGE_SIZE << page->order;
	free(page->va);
	free(page);
}

/* NULL for memory that no page has: a pointer that nobody gave */
static struct page *virt_to_head_page(const void *va)
{
	struct page *page = shim_mm.pages;

	while (page && (u64)((u8 *)va - page->va) >= PAGE_SIZE << page->order)
		page = page->next;
	return page;
}

static inline void page_frag_free(void *va)
{
	put_page(virt_to_head_page(va));
}

#endif /* SHIM_LINUX_MM_H */
