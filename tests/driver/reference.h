/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules for a ring at rest, implemented a second time: slower, simpler, and
 * straight from the specification.
 */
#ifndef TESTS_DRIVER_REFERENCE_H
#define TESTS_DRIVER_REFERENCE_H

#include "ring.h"

struct ref_result {
	enum vpring_result result;
	enum vpring_error error;
	u32 nsegs;
	u64 len;
	u32 head;			/* packed: id and slots, as in a chain */
	struct {
		u64 addr;
		u32 len;
	} seg[VPRING_MAX_SEGS];
};

/* The chain that begins with descriptor @head of a split ring */
void ref_chain(const struct vpring_window *win, const struct vring_desc *desc,
	       u32 size, u32 flags, u32 head, struct ref_result *ref);

/*
 * The chain at position @pos of a packed ring, as ring_packed.c counts it;
 * @room: slots that it may have, @seen: it has been available before
 */
void ref_packed_chain(const struct vpring_window *win,
		      const struct vring_packed_desc *slots, u32 size,
		      u32 flags, u32 pos, u32 room, bool seen,
		      struct ref_result *ref);

#endif /* TESTS_DRIVER_REFERENCE_H */
