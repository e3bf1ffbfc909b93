/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads and writes the pieces of a buffer as if they were one.  Callers never
 * ask for more than the pieces hold.
 */
#ifndef VHOST_PCI_SEGS_H
#define VHOST_PCI_SEGS_H

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/virtio_net.h>

#include "ring_types.h"

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

static __always_inline void vpsegs_read(struct vpsegs *it, void *dst, u32 len)
{
	while (len) {
		u32 n;
		const void *src = vpsegs_next(it, len, &n);

		memcpy(dst, src, n);
		dst += n;
		len -= n;
	}
}

/*
 * The virtio-net header at the start of a buffer, of which only the first 10
 * bytes matter.  It is practically never split.
 */
static __always_inline void
vpsegs_read_hdr(struct vpsegs *it, struct virtio_net_hdr *hdr, u32 hdr_len)
{
	u8 rest[sizeof(struct virtio_net_hdr_mrg_rxbuf)];

	if (likely(it->seg->len >= hdr_len)) {
		memcpy(hdr, it->seg->addr, sizeof(*hdr));
		it->off = hdr_len;
		return;
	}
	vpsegs_read(it, rest, hdr_len);
	memcpy(hdr, rest, sizeof(*hdr));
}

static __always_inline void vpsegs_write(struct vpsegs *it, const void *src, u32 len)
{
	while (len) {
		u32 n;
		void *dst = vpsegs_next(it, len, &n);

		memcpy(dst, src, n);
		src += n;
		len -= n;
	}
}

/* The virtio-net header, of @hdr_len bytes, at the start of a buffer */
static __always_inline void
vpsegs_write_hdr(struct vpsegs *it, const struct virtio_net_hdr_mrg_rxbuf *hdr,
		 u32 hdr_len)
{
	if (likely(hdr_len == sizeof(*hdr) && it->seg->len >= sizeof(*hdr))) {
		memcpy(it->seg->addr, hdr, sizeof(*hdr));
		it->off = sizeof(*hdr);
		return;
	}
	vpsegs_write(it, hdr, hdr_len);
}

#endif /* VHOST_PCI_SEGS_H */
