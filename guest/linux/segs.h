/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and writing through the pieces of a buffer, wherever their borders
 * are.  Callers never ask for more than the pieces hold.
 */
#ifndef VHOST_PCI_SEGS_H
#define VHOST_PCI_SEGS_H

#include <linux/kernel.h>
#include <linux/string.h>

#include "ring.h"

struct vpsegs {
	const struct vpring_seg *seg;
	u32 off;
};

static inline void vpsegs_start(struct vpsegs *it,
				const struct vpring_seg *segs)
{
	it->seg = segs;
	it->off = 0;
}

/* The next contiguous piece, at most @want bytes; @want is not 0 */
static inline void *vpsegs_next(struct vpsegs *it, u32 want, u32 *got)
{
	void *at;

	if (it->off == it->seg->len) {
		it->seg++;
		it->off = 0;
	}
	at = it->seg->addr + it->off;
	*got = min(want, it->seg->len - it->off);
	it->off += *got;
	return at;
}

static inline void vpsegs_read(struct vpsegs *it, void *dst, u32 len)
{
	while (len) {
		u32 n;
		const void *src = vpsegs_next(it, len, &n);

		memcpy(dst, src, n);
		dst += n;
		len -= n;
	}
}

static inline void vpsegs_write(struct vpsegs *it, const void *src, u32 len)
{
	while (len) {
		u32 n;
		void *dst = vpsegs_next(it, len, &n);

		memcpy(dst, src, n);
		src += n;
		len -= n;
	}
}

#endif /* VHOST_PCI_SEGS_H */
