// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the position of a packed ring that a predecessor has served.
 *
 * The ring itself says so, as used->idx does for a split ring: the USED bit of
 * a slot changes each time that the slot is returned, and only then, so it
 * changes its value along the ring exactly where the ring stands.
 */
#include <linux/kernel.h>
#include <linux/types.h>
#include <asm/barrier.h>

#include "ring_packed_find.h"

#define AVAIL		(1U << VRING_PACKED_DESC_F_AVAIL)
#define USED		(1U << VRING_PACKED_DESC_F_USED)

static u16 vpring_slot_flags(const struct vpring *ring, u32 slot)
{
	return vpring_get16(ring->slots[slot].flags);
}

/* The places at which the USED bits change along the ring */
struct vpring_changes {
	u32 count;
	u32 at[3];
};

static void vpring_find_changes(const struct vpring *ring,
				struct vpring_changes *to)
{
	bool before, used;
	u32 i;

	/* slot 0 of the next round continues the last slot, inverted */
	before = !(vpring_slot_flags(ring, ring->size - 1) & USED);
	to->count = 0;
	for (i = 0; i < ring->size; i++) {
		used = vpring_slot_flags(ring, i) & USED;
		if (used != before) {
			if (to->count < ARRAY_SIZE(to->at))
				to->at[to->count] = i;
			to->count++;
		}
		before = used;
	}
}

/* Are all of these slots returned, or none of them? */
static bool vpring_all_returned(const struct vpring *ring, u32 from, u32 to,
				bool returned)
{
	u32 i;

	for (i = from; i != to; i = i + 1 < ring->size ? i + 1 : 0) {
		u16 flags = vpring_slot_flags(ring, i);

		if ((!(flags & AVAIL) == !(flags & USED)) != returned)
			return false;
	}
	return true;
}

/* Return the slots, last one first, with the lengths they have */
static void vpring_return(struct vpring *ring, u32 from, u32 to)
{
	u32 i = to;

	while (i != from) {
		u16 flags;

		i = i ? i - 1 : ring->size - 1;
		flags = vpring_slot_flags(ring, i);
		/* release: the slots behind this one are returned first */
		virt_store_release(&ring->slots[i].flags,
				   vpring_put16(flags & USED ?
						flags & ~(AVAIL | USED) :
						flags | AVAIL | USED));
	}
}

/*
 * The position of the ring.  There is one change of the USED bits, or three if
 * a predecessor died while it returned several slots, which it does from the
 * last to the first: then return the rest.  If there are more, it is the peer's
 * doing, and any position will do.
 */
u16 vpring_packed_find(struct vpring *ring)
{
	struct vpring_changes changes;
	u32 i, slot;

	vpring_find_changes(ring, &changes);
	/* an odd number, unless the peer changes it under our eyes */
	slot = changes.count ? changes.at[0] : 0;
	for (i = 0; changes.count == 3 && i < 3; i++) {
		u32 rest = changes.at[i];
		u32 done = changes.at[(i + 1) % 3];
		u32 end = changes.at[(i + 2) % 3];

		if (vpring_all_returned(ring, rest, done, false) &&
		    vpring_all_returned(ring, done, end, true)) {
			vpring_return(ring, rest, done);
			slot = end;
			break;
		}
	}
	return vpring_slot_flags(ring, slot) & USED ? slot + ring->size : slot;
}
