// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device side of one packed virtqueue in a peer's memory.
 *
 * The rules of ring.c hold here, too: each shared field is read once, into a
 * local, and what a correct driver cannot do breaks the ring.
 *
 * A position is a number below twice the size of the ring: the slot, plus the
 * size in every second round, in which the wrap counter is 0.
 *
 * All slots of a chain get their bits, also those behind the first, which the
 * peer's driver does not look at: see ring_packed_find.c.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>

#include "ring_packed.h"
#include "ring_packed_find.h"

#define get16(field)	vpring_get16(field)
#define get32(field)	vpring_get32(field)
#define get64(field)	vpring_get64(field)

#define AVAIL		(1U << VRING_PACKED_DESC_F_AVAIL)
#define USED		(1U << VRING_PACKED_DESC_F_USED)

DEFINE_STATIC_KEY_FALSE(vpring_special_key);

static u32 vpring_slot(const struct vpring *ring, u16 pos)
{
	return pos < ring->size ? pos : pos - ring->size;
}

static bool vpring_wrap(const struct vpring *ring, u16 pos)
{
	return pos < ring->size;
}

static u16 vpring_ahead(const struct vpring *ring, u16 pos, u32 slots)
{
	u32 to = pos + slots;

	return to < 2 * ring->size ? to : to - 2 * ring->size;
}

/* Slots from @from on up to @to */
static u32 vpring_distance(const struct vpring *ring, u16 from, u16 to)
{
	return to >= from ? to - from : 2 * ring->size + to - from;
}

static bool vpring_available(const struct vpring *ring, u16 pos, u16 flags)
{
	return !(flags & AVAIL) != vpring_wrap(ring, pos) &&
	       !(flags & USED) == vpring_wrap(ring, pos);
}

static void vpring_put_event(struct vpring *ring, u16 off_wrap, u16 flags)
{
	u32 event = off_wrap | (u32)flags << 16;

	WRITE_ONCE(*ring->device_event, vpring_put32(event));
}

/**
 * vpring_packed_init - vpring_init() for a packed ring
 * @ring: filled in; on failure only @ring->error is valid
 * @win: the peer's memory
 * @area: where the peer says the ring is
 * @flags: VPRING_F_*
 * @done: memory for one entry for each slot, or NULL
 * @room: entries of @done
 *
 * Return: 0 or -EINVAL.
 */
int vpring_packed_init(struct vpring *ring, const struct vpring_window *win,
		       const struct vpring_area *area, u32 flags,
		       struct vpring_done *done, u32 room)
{
	memset(ring, 0, sizeof(*ring));
	if (!area->size || area->size > VPRING_MAX_SIZE) {
		ring->error = VPRING_E_SIZE;
		return -EINVAL;
	}
	if (!done || room < area->size) {
		ring->error = VPRING_E_MEMORY;
		return -EINVAL;
	}
	if ((area->desc & 15) || (area->avail & 3) || (area->used & 3)) {
		ring->error = VPRING_E_ALIGN;
		return -EINVAL;
	}
	ring->slots = vpring_at(win, area->desc,
				(u64)area->size * sizeof(*ring->slots));
	ring->driver_event = vpring_at(win, area->avail, sizeof(u32));
	ring->device_event = vpring_at(win, area->used, sizeof(u32));
	if (!ring->slots || !ring->driver_event || !ring->device_event) {
		ring->error = VPRING_E_AREA;
		return -EINVAL;
	}

	ring->win = *win;
	ring->size = area->size;
	ring->flags = flags;
	ring->done = done;
	memset(done, 0, area->size * sizeof(*done));
	ring->packed = true;
	ring->special = true;
	ring->used_pos = vpring_packed_find(ring);
	ring->used_shown = ring->used_pos;
	ring->used_told = ring->used_pos;
	ring->avail_pos = ring->used_pos;
	ring->avail_seen = ring->used_pos;
	vpring_put_event(ring, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
	return 0;
}

static bool vpring_slot_available(const struct vpring *ring, u16 pos,
				  u16 *flags)
{
	const struct vring_packed_desc *d = &ring->slots[vpring_slot(ring, pos)];

	/* acquire: all else of the chain was written before this */
	*flags = __virtio16_to_cpu(true, virt_load_acquire((u16 *)&d->flags));
	return vpring_available(ring, pos, *flags);
}

static enum vpring_result vpring_packed_add(struct vpring *ring, u64 addr,
					    u32 len, u16 flags,
					    struct vpring_seg *segs, u32 max,
					    struct vpring_chain *chain)
{
	void *va;

	if (unlikely(!len))
		return vpring_fail(ring, VPRING_E_EMPTY_DESC);
	va = vpring_at(&ring->win, addr, len);
	if (unlikely(!va))
		return vpring_fail(ring, VPRING_E_DESC_ADDR);
	if (unlikely(!(flags & VRING_DESC_F_WRITE) !=
		     !(ring->flags & VPRING_F_WRITABLE)))
		return vpring_fail(ring, VPRING_E_DIRECTION);
	if (unlikely(chain->nsegs == VPRING_MAX_SEGS))
		return vpring_fail(ring, VPRING_E_TOO_LONG);
	if (likely(chain->nsegs < max)) {
		segs[chain->nsegs].addr = va;
		segs[chain->nsegs].len = len;
	}
	chain->nsegs++;
	chain->len += len;
	return VPRING_OK;
}

/* In a table NEXT means nothing: all entries belong to the buffer, in order */
static enum vpring_result vpring_packed_table(struct vpring *ring, u64 addr,
					      u32 len, u16 flags,
					      struct vpring_seg *segs, u32 max,
					      struct vpring_chain *chain)
{
	const struct vring_packed_desc *table;
	enum vpring_result res = VPRING_OK;
	u32 i;

	if (unlikely(!len))
		return vpring_fail(ring, VPRING_E_EMPTY_DESC);
	table = vpring_at(&ring->win, addr, len);
	if (unlikely(!table))
		return vpring_fail(ring, VPRING_E_DESC_ADDR);
	if (unlikely(!(ring->flags & VPRING_F_INDIRECT) ||
		     (flags & VRING_DESC_F_NEXT) || len % sizeof(*table) ||
		     len / sizeof(*table) > VPRING_MAX_SEGS ||
		     addr % __alignof__(*table)))
		return vpring_fail(ring, VPRING_E_INDIRECT);

	for (i = 0; i < len / sizeof(*table) && res == VPRING_OK; i++) {
		flags = get16(table[i].flags);
		if (unlikely(flags & VRING_DESC_F_INDIRECT))
			return vpring_fail(ring, VPRING_E_INDIRECT);
		res = vpring_packed_add(ring, get64(table[i].addr),
					get32(table[i].len), flags, segs, max,
					chain);
	}
	return res;
}

/* vpring_pop() for a packed ring */
enum vpring_result vpring_packed_pop(struct vpring *ring,
				     struct vpring_seg *segs, u32 max,
				     struct vpring_chain *chain)
{
	const u16 pos = ring->avail_pos;
	u32 room, slots = 1, seen;
	enum vpring_result res;
	u16 flags, id;

	if (unlikely(ring->error))
		return VPRING_BROKEN;
	seen = vpring_distance(ring, pos, ring->avail_seen);
	if (!vpring_slot_available(ring, pos, &flags))
		/* the peer must not take back what has been seen */
		return seen ? vpring_fail(ring, VPRING_E_AVAIL_IDX) :
			      VPRING_EMPTY;
	/* slots that we have not returned cannot be available again */
	room = ring->size - vpring_distance(ring, ring->used_shown, pos);

	chain->nsegs = 0;
	chain->len = 0;
	for (;; slots++) {
		u16 at = vpring_ahead(ring, pos, slots - 1);
		const struct vring_packed_desc *d =
			&ring->slots[vpring_slot(ring, at)];
		const u64 addr = get64(d->addr);
		const u32 len = get32(d->len);

		if (unlikely(slots > room))
			return vpring_fail(ring, VPRING_E_LOOP);
		/* the id of the last slot counts */
		id = get16(d->id);
		if (slots > 1)
			flags = get16(d->flags);
		if (flags & VRING_DESC_F_INDIRECT) {
			if (unlikely(slots > 1))
				return vpring_fail(ring, VPRING_E_INDIRECT);
			res = vpring_packed_table(ring, addr, len, flags, segs,
						  max, chain);
			if (unlikely(res != VPRING_OK))
				return res;
			break;
		}
		res = vpring_packed_add(ring, addr, len, flags, segs, max,
					chain);
		if (unlikely(res != VPRING_OK))
			return res;
		if (!(flags & VRING_DESC_F_NEXT))
			break;
	}

	if (unlikely(chain->nsegs > max))
		return VPRING_NO_ROOM;
	chain->head = id | slots << 16;
	ring->avail_pos = vpring_ahead(ring, pos, slots);
	if (slots > seen)
		ring->avail_seen = ring->avail_pos;
	return VPRING_OK;
}

/* vpring_fill(): the peer must not see it yet, so keep it in our memory */
static void vpring_packed_fill(struct vpring *ring, u32 head, u32 len)
{
	const u32 slots = head >> 16;
	u32 i;

	for (i = 1; i < slots; i++) {
		u16 pos = vpring_ahead(ring, ring->used_pos, i);

		ring->done[vpring_slot(ring, pos)].inner = true;
	}
	ring->filled = vpring_slot(ring, ring->used_pos);
	ring->done[ring->filled] = (struct vpring_done){
		.len = len,
		.id = head,
	};
	ring->used_pos = vpring_ahead(ring, ring->used_pos, slots);
}

/**
 * vpring_fill_special - vpring_fill() for a packed or an in-order ring
 * @ring: the ring
 * @head: from the chain
 * @len: bytes written to it
 */
void vpring_fill_special(struct vpring *ring, u32 head, u32 len)
{
	if (ring->packed) {
		vpring_packed_fill(ring, head, len);
		return;
	}
	/* in order: one entry will stand for all */
	ring->last_head = head;
	ring->used_pos++;
}

u16 vpring_packed_pending(const struct vpring *ring)
{
	u16 flags;

	if (ring->avail_seen != ring->avail_pos)
		return vpring_distance(ring, ring->avail_pos, ring->avail_seen);
	return vpring_slot_available(ring, ring->avail_pos, &flags);
}

/*
 * Return the slot at @pos: id, length and flags in one store, so that the peer
 * never sees half of it.
 */
static void vpring_packed_put(struct vpring *ring, u16 pos)
{
	const u32 slot = vpring_slot(ring, pos);
	const struct vpring_done *done = &ring->done[slot];
	struct vring_packed_desc *d = &ring->slots[slot];
	u16 flags = vpring_wrap(ring, pos) ? AVAIL | USED : 0;

	if (unlikely(done->inner)) {
		/* release: the data, and the slots shown before, come first */
		virt_store_release(&d->flags, vpring_put16(flags));
		return;
	}
	if (done->len)
		flags |= VRING_DESC_F_WRITE;
	/* release: as above */
	virt_store_release((u64 *)&d->len,
			   vpring_put64(done->len | (u64)done->id << 32 |
					(u64)flags << 48));
}

/*
 * The first slot behind those that the peer must see at once: the slots of a
 * chain, and the buffers of a frame.
 */
static u16 vpring_packed_group(const struct vpring *ring, u16 pos)
{
	const struct vpring_done *done;

	do {
		pos = vpring_ahead(ring, pos, 1);
		if (pos == ring->used_pos)
			break;
		done = &ring->done[vpring_slot(ring, pos)];
	} while (done->inner || done->joined);
	return pos;
}

static bool vpring_packed_wanted(const struct vpring *ring, u32 count)
{
	u32 event = vpring_get32(*ring->driver_event);
	u16 new = vpring_slot(ring, ring->used_shown);
	u16 off = event & 0x7fff;
	bool wrap = event & 0x8000;

	switch ((event >> 16) & 3) {
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return false;
	case VRING_PACKED_EVENT_FLAG_DESC:
		break;
	default:
		return true;
	}
	if (wrap != vpring_wrap(ring, ring->used_shown))
		off -= ring->size;
	return vring_need_event(off, new, new - count);
}

/* vpring_show() for a packed ring */
void vpring_packed_show(struct vpring *ring)
{
	u16 from = ring->used_shown;

	while (from != ring->used_pos) {
		const u16 end = vpring_packed_group(ring, from);
		u32 i = vpring_distance(ring, from, end);

		/* the first one last: it makes the others visible */
		while (i--)
			vpring_packed_put(ring, vpring_ahead(ring, from, i));
		from = end;
	}
	ring->used_shown = from;
}

/* vpring_publish() for a packed ring */
bool vpring_packed_publish(struct vpring *ring)
{
	const u32 count = vpring_distance(ring, ring->used_told,
					  ring->used_pos);

	if (!count)
		return false;
	vpring_packed_show(ring);
	ring->used_told = ring->used_pos;

	/* full barrier: as in vpring_publish() */
	virt_mb();
	return vpring_packed_wanted(ring, count);
}

/* vpring_arm_ahead() for a packed ring, in which it counts slots */
bool vpring_packed_arm_ahead(struct vpring *ring, u16 ahead)
{
	u16 flags, off, pos;

	if (ring->error)
		return false;
	if (ring->flags & VPRING_F_EVENT_IDX) {
		pos = vpring_ahead(ring, ring->avail_seen, ahead);
		off = vpring_slot(ring, pos);
		if (vpring_wrap(ring, pos))
			off |= 1U << VRING_PACKED_EVENT_F_WRAP_CTR;
		vpring_put_event(ring, off, VRING_PACKED_EVENT_FLAG_DESC);
	} else {
		pos = ring->avail_seen;
		if (!ring->armed)
			vpring_put_event(ring, 0,
					 VRING_PACKED_EVENT_FLAG_ENABLE);
	}
	ring->armed = true;

	/* full barrier: as in vpring_arm_ahead() */
	virt_mb();
	return vpring_slot_available(ring, pos, &flags);
}

/* vpring_disarm() for a packed ring */
void vpring_packed_disarm(struct vpring *ring)
{
	if (!ring->armed || ring->error)
		return;
	ring->armed = false;
	/* the peer has passed the position, which recurs only in two rounds */
	if (!(ring->flags & VPRING_F_EVENT_IDX))
		vpring_put_event(ring, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
}
