/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An origin with a packed ring and a driver that keeps the rules, written from
 * virtio 1.2, section 2.8, and not from the code under test.
 */
#ifndef TESTS_DRIVER_PACKED_ORIGIN_H
#define TESTS_DRIVER_PACKED_ORIGIN_H

#include "ring.h"

#define PACKED_SIZE	(256 * 1024)
#define PACKED_RING	0x0000		/* room for 1024 slots */
#define PACKED_DRIVER	0x4000
#define PACKED_DEVICE	0x4010
#define PACKED_TABLE	0x8000
#define PACKED_DATA	0x20000
#define PACKED_MOST	1024

#define P_NEXT		1
#define P_WRITE		2
#define P_IND		4
#define P_AVAIL		0x80
#define P_USED		0x8000

struct packed_origin {
	u8 *mem;
	struct vpring_window win;
	struct vpring_area area;
	struct vring_packed_desc *slot;
	struct vring_packed_desc_event *driver, *device;
	u32 size;
	u16 direction;			/* P_WRITE or 0 */

	/* what its driver knows */
	u32 next, last;
	bool next_wrap, last_wrap;
	u32 free;
	u16 slots_of[PACKED_MOST];	/* by id; 0: not in use */

	struct vpring_done done[PACKED_MOST];
};

void packed_init(struct packed_origin *o, u32 size, u16 direction);
void packed_free(struct packed_origin *o);
/* Start here, as if the ring had been in use, with nothing in flight */
void packed_start_at(struct packed_origin *o, u32 slot, bool wrap);
int packed_setup(struct packed_origin *o, struct vpring *r, u32 flags);
/* A buffer of @n descriptors of @len bytes; false: no room */
bool packed_add(struct packed_origin *o, u16 id, u32 n, u32 len);
/* The same in a table */
bool packed_add_indirect(struct packed_origin *o, u16 id, u32 n, u32 len);
/* A buffer that has come back; false: none */
bool packed_get(struct packed_origin *o, u16 *id, u32 *len);
/* Set all of a slot as the driver would */
void packed_put(struct packed_origin *o, u32 slot, u64 addr, u32 len, u16 id,
		u16 flags);
/* The flags of a descriptor that is available in this round */
u16 packed_avail(bool wrap);

#endif /* TESTS_DRIVER_PACKED_ORIGIN_H */
