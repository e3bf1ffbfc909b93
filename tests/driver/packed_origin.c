// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include <linux/compiler.h>

#include "packed_origin.h"

void packed_init(struct packed_origin *o, u32 size, u16 direction)
{
	memset(o, 0, sizeof(*o));
	o->mem = aligned_alloc(4096, PACKED_SIZE);
	memset(o->mem, 0, PACKED_SIZE);
	o->win.base = o->mem;
	o->win.size = PACKED_SIZE;
	o->area.desc = PACKED_RING;
	o->area.avail = PACKED_DRIVER;
	o->area.used = PACKED_DEVICE;
	o->area.size = size;
	o->slot = (void *)(o->mem + PACKED_RING);
	o->driver = (void *)(o->mem + PACKED_DRIVER);
	o->device = (void *)(o->mem + PACKED_DEVICE);
	o->size = size;
	o->direction = direction;
	o->free = size;
	o->next_wrap = true;
	o->last_wrap = true;
}

void packed_free(struct packed_origin *o)
{
	free(o->mem);
}

void packed_start_at(struct packed_origin *o, u32 slot, bool wrap)
{
	/* used in this round up to here, in the one before from here on */
	for (u32 i = 0; i < o->size; i++)
		o->slot[i].flags = (i < slot) == wrap ? P_AVAIL | P_USED : 0;
	o->next = slot;
	o->last = slot;
	o->next_wrap = wrap;
	o->last_wrap = wrap;
}

int packed_setup(struct packed_origin *o, struct vpring *r, u32 flags)
{
	if (o->direction)
		flags |= VPRING_F_WRITABLE;
	return vpring_packed_init(r, &o->win, &o->area, flags, o->done,
				  PACKED_MOST);
}

u16 packed_avail(bool wrap)
{
	return wrap ? P_AVAIL : P_USED;
}

void packed_put(struct packed_origin *o, u32 slot, u64 addr, u32 len, u16 id,
		u16 flags)
{
	o->slot[slot].addr = addr;
	o->slot[slot].len = len;
	o->slot[slot].id = id;
	__atomic_store_n(&o->slot[slot].flags, flags, __ATOMIC_RELEASE);
}

static void packed_advance(struct packed_origin *o, u32 *slot, bool *wrap,
			   u32 by)
{
	*slot += by;
	if (*slot >= o->size) {
		*slot -= o->size;
		*wrap = !*wrap;
	}
}

bool packed_add(struct packed_origin *o, u16 id, u32 n, u32 len)
{
	u32 head = o->next, at = head;
	bool head_wrap = o->next_wrap, wrap = head_wrap;

	if (n > o->free || o->slots_of[id])
		return false;
	for (u32 i = 0; i < n; i++) {
		u16 flags = packed_avail(wrap) | o->direction |
			    (i + 1 < n ? P_NEXT : 0);

		/* of a list only the last id counts */
		o->slot[at].addr = PACKED_DATA + 64 * at;
		o->slot[at].len = len;
		o->slot[at].id = i + 1 < n ? 0xdead : id;
		if (at != head)
			WRITE_ONCE(o->slot[at].flags, flags);
		packed_advance(o, &at, &wrap, 1);
	}
	o->slots_of[id] = n;
	o->free -= n;
	__atomic_store_n(&o->slot[head].flags,
			 packed_avail(head_wrap) | o->direction |
			 (n > 1 ? P_NEXT : 0), __ATOMIC_RELEASE);
	packed_advance(o, &o->next, &o->next_wrap, n);
	return true;
}

bool packed_add_indirect(struct packed_origin *o, u16 id, u32 n, u32 len)
{
	struct vring_packed_desc *t;
	u32 at = PACKED_TABLE + 64 * o->next;

	if (!o->free || o->slots_of[id] || n > 4)
		return false;
	t = (void *)(o->mem + at);
	for (u32 i = 0; i < n; i++) {
		t[i].addr = PACKED_DATA + 64 * o->next + i;
		t[i].len = len;
		t[i].id = 0xbeef;
		t[i].flags = o->direction;
	}
	o->slots_of[id] = 1;
	o->free--;
	packed_put(o, o->next, at, n * sizeof(*t), id,
		   packed_avail(o->next_wrap) | P_IND);
	packed_advance(o, &o->next, &o->next_wrap, 1);
	return true;
}

bool packed_get(struct packed_origin *o, u16 *id, u32 *len)
{
	u16 flags = __atomic_load_n(&o->slot[o->last].flags, __ATOMIC_ACQUIRE);
	bool avail = flags & P_AVAIL, used = flags & P_USED;
	u32 n;

	if (avail != used || used != o->last_wrap)
		return false;
	*id = o->slot[o->last].id;
	*len = o->slot[o->last].len;
	if (*id >= PACKED_MOST || !o->slots_of[*id])
		abort();	/* what a driver can only report */
	n = o->slots_of[*id];
	o->slots_of[*id] = 0;
	o->free += n;
	packed_advance(o, &o->last, &o->last_wrap, n);
	return true;
}
