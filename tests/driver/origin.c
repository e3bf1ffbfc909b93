// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "origin.h"

void origin_init(struct origin *o, u32 size)
{
	memset(o, 0, sizeof(*o));
	/* a heap block of its own, so that the sanitizer guards both ends */
	o->mem = aligned_alloc(4096, ORIGIN_SIZE);
	memset(o->mem, 0, ORIGIN_SIZE);
	o->win.base = o->mem;
	o->win.size = ORIGIN_SIZE;
	o->area.desc = ORIGIN_DESC;
	o->area.avail = ORIGIN_AVAIL;
	o->area.used = ORIGIN_USED;
	o->area.size = size;
	o->desc = (void *)(o->mem + ORIGIN_DESC);
	o->avail = (void *)(o->mem + ORIGIN_AVAIL);
	o->used = (void *)(o->mem + ORIGIN_USED);
	o->size = size;
}

void origin_free(struct origin *o)
{
	free(o->mem);
}

void origin_desc(struct vring_desc *d, u64 addr, u32 len, u16 flags, u16 next)
{
	d->addr = addr;
	d->len = len;
	d->flags = flags;
	d->next = next;
}

void origin_offer(struct origin *o, u16 head)
{
	o->avail->ring[o->avail->idx % o->size] = head;
	o->avail->idx++;
}

struct vring_desc *origin_table(struct origin *o, u64 at)
{
	return (void *)(o->mem + at);
}

__virtio16 *origin_used_event(struct origin *o)
{
	return &o->avail->ring[o->size];
}

__virtio16 *origin_avail_event(struct origin *o)
{
	return (__virtio16 *)&o->used->ring[o->size];
}
