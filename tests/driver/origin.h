/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other side of a ring: an origin's memory and, in it, a split ring that
 * tests fill as its driver would, or would not.
 */
#ifndef TESTS_DRIVER_ORIGIN_H
#define TESTS_DRIVER_ORIGIN_H

#include "ring.h"

#define ORIGIN_SIZE	(128 * 1024)
#define ORIGIN_DESC	0x0000		/* room for 1024 entries */
#define ORIGIN_AVAIL	0x4000
#define ORIGIN_USED	0x5000
#define ORIGIN_TABLE	0x8000		/* indirect tables */
#define ORIGIN_DATA	0x10000

struct origin {
	u8 *mem;			/* exactly ORIGIN_SIZE on the heap */
	struct vpring_window win;
	struct vpring_area area;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	u32 size;
};

void origin_init(struct origin *o, u32 size);
void origin_free(struct origin *o);
void origin_desc(struct vring_desc *d, u64 addr, u32 len, u16 flags, u16 next);
/* Write a head into the available ring and move its index */
void origin_offer(struct origin *o, u16 head);
struct vring_desc *origin_table(struct origin *o, u64 at);
__virtio16 *origin_used_event(struct origin *o);
__virtio16 *origin_avail_event(struct origin *o);

#endif /* TESTS_DRIVER_ORIGIN_H */
