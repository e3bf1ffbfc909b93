// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device side of one split virtqueue in a peer's memory.
 *
 * The peer is another VM and may be hostile: it can write any value to any
 * byte of the ring at any time.  Two rules follow.  Each shared field is read
 * once, with READ_ONCE, into a local, and only the local is checked and used.
 * Whatever a correct driver cannot do marks the ring broken, and a broken
 * ring is not looked at again.
 *
 * Barriers are the virt_*() kind: the other side runs on a CPU of another VM,
 * so they are needed even when this kernel is built, or runs, for one CPU.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>

#include "ring.h"

#define get16(field)	vpring_get16(field)
#define get32(field)	vpring_get32(field)
#define get64(field)	vpring_get64(field)
#define put16(val)	vpring_put16(val)

/* At the end of the available ring, written by the peer: when to signal it */
static const __virtio16 *vpring_used_event(const struct vpring *ring)
{
	return &ring->avail->ring[ring->size];
}

/* At the end of the used ring, written by us: when the peer is to kick */
static __virtio16 *vpring_avail_event(struct vpring *ring)
{
	return (__virtio16 *)&ring->used->ring[ring->size];
}

/**
 * vpring_init - take over a ring at the place where it stands
 * @ring: filled in; on failure only @ring->error is valid
 * @win: the peer's memory
 * @area: where the peer says the ring is
 * @flags: VPRING_F_*
 *
 * A split ring completed in order needs no position from outside: what has
 * been taken is what has been marked used.
 *
 * Return: 0 or -EINVAL.
 */
int vpring_init(struct vpring *ring, const struct vpring_window *win,
		const struct vpring_area *area, u32 flags)
{
	u64 desc_len, avail_len, used_len;

	memset(ring, 0, sizeof(*ring));
	if (!area->size || area->size > VPRING_MAX_SIZE ||
	    (area->size & (area->size - 1))) {
		ring->error = VPRING_E_SIZE;
		return -EINVAL;
	}
	if ((area->desc & (VRING_DESC_ALIGN_SIZE - 1)) ||
	    (area->avail & (VRING_AVAIL_ALIGN_SIZE - 1)) ||
	    (area->used & (VRING_USED_ALIGN_SIZE - 1))) {
		ring->error = VPRING_E_ALIGN;
		return -EINVAL;
	}

	/* with both event fields, even if nobody uses them */
	desc_len = (u64)area->size * sizeof(struct vring_desc);
	avail_len = 6 + (u64)area->size * sizeof(__virtio16);
	used_len = 6 + (u64)area->size * sizeof(struct vring_used_elem);
	ring->desc = vpring_at(win, area->desc, desc_len);
	ring->avail = vpring_at(win, area->avail, avail_len);
	ring->used = vpring_at(win, area->used, used_len);
	if (!ring->desc || !ring->avail || !ring->used) {
		ring->error = VPRING_E_AREA;
		return -EINVAL;
	}

	ring->win = *win;
	ring->size = area->size;
	ring->flags = flags;
	ring->special = (flags & VPRING_F_IN_ORDER) &&
			!(flags & VPRING_F_WRITABLE);
	ring->used_pos = get16(ring->used->idx);
	ring->used_shown = ring->used_pos;
	ring->used_told = ring->used_pos;
	ring->avail_pos = ring->used_pos;
	ring->avail_seen = ring->used_pos;

	/* an earlier driver may have left something else there */
	if (!(flags & VPRING_F_EVENT_IDX))
		WRITE_ONCE(ring->used->flags, put16(VRING_USED_F_NO_NOTIFY));
	return 0;
}

static bool vpring_look(struct vpring *ring)
{
	/* acquire: the entries were written before the index */
	u16 idx = __virtio16_to_cpu(true, virt_load_acquire(&ring->avail->idx));

	/*
	 * Never ahead of what we have returned by more than the ring holds,
	 * and never behind what we have taken.
	 */
	if ((u16)(idx - ring->used_shown) > ring->size ||
	    (u16)(idx - ring->avail_pos) > ring->size) {
		vpring_fail(ring, VPRING_E_AVAIL_IDX);
		return false;
	}
	ring->avail_seen = idx;
	return idx != ring->avail_pos;
}

/**
 * vpring_room - how many entries are there to be taken?
 * @ring: the ring
 *
 * Return: U32_MAX for a packed ring, which would have to be searched; 0 also
 * for one that is broken.
 */
u32 vpring_room(struct vpring *ring)
{
	if (vpring_is_packed(ring))
		return U32_MAX;
	if (ring->error || !vpring_look(ring))
		return 0;
	return vpring_pending(ring);
}

/**
 * vpring_pop_chain - vpring_pop() for all but the common case
 * @ring: the ring
 * @segs: receives the buffer's pieces, each inside the window
 * @max: room in @segs
 * @chain: receives the summary
 *
 * Whatever the peer wrote, the work is bounded by VPRING_MAX_SEGS.
 */
enum vpring_result vpring_pop_chain(struct vpring *ring,
				    struct vpring_seg *segs, u32 max,
				    struct vpring_chain *chain)
{
	const struct vring_desc *table = ring->desc;
	u32 entries = ring->size, left = ring->size, nsegs = 0;
	bool in_indirect = false;
	u64 total = 0;
	u32 i;

	if (vpring_is_packed(ring))
		return vpring_packed_pop(ring, segs, max, chain);
	if (unlikely(ring->error))
		return VPRING_BROKEN;
	if (ring->avail_pos == ring->avail_seen && !vpring_look(ring))
		return ring->error ? VPRING_BROKEN : VPRING_EMPTY;

	i = get16(ring->avail->ring[ring->avail_pos & (ring->size - 1)]);
	chain->head = i;

	for (;;) {
		u64 addr;
		u32 len;
		u16 flags, next;
		void *va;

		if (unlikely(i >= entries))
			return vpring_fail(ring, VPRING_E_DESC_IDX);
		if (unlikely(!left--))
			return vpring_fail(ring, VPRING_E_LOOP);

		addr = get64(table[i].addr);
		len = get32(table[i].len);
		flags = get16(table[i].flags);
		next = get16(table[i].next);

		/* before the address is used for anything */
		if (unlikely(!len))
			return vpring_fail(ring, VPRING_E_EMPTY_DESC);
		va = vpring_at(&ring->win, addr, len);
		if (unlikely(!va))
			return vpring_fail(ring, VPRING_E_DESC_ADDR);

		if (flags & VRING_DESC_F_INDIRECT) {
			if (in_indirect || (flags & VRING_DESC_F_NEXT) ||
			    !(ring->flags & VPRING_F_INDIRECT) ||
			    len % sizeof(*table) ||
			    len / sizeof(*table) > VPRING_MAX_SEGS ||
			    addr % __alignof__(*table))
				return vpring_fail(ring, VPRING_E_INDIRECT);
			in_indirect = true;
			table = va;
			entries = len / sizeof(*table);
			left = entries;
			i = 0;
			continue;
		}

		if (unlikely(!(flags & VRING_DESC_F_WRITE) !=
			     !(ring->flags & VPRING_F_WRITABLE)))
			return vpring_fail(ring, VPRING_E_DIRECTION);
		if (unlikely(nsegs == VPRING_MAX_SEGS))
			return vpring_fail(ring, VPRING_E_TOO_LONG);
		/* go on checking: a chain may be broken as well as too long */
		if (likely(nsegs < max)) {
			segs[nsegs].addr = va;
			segs[nsegs].len = len;
		}
		nsegs++;
		total += len;

		if (!(flags & VRING_DESC_F_NEXT))
			break;
		i = next;
	}

	if (unlikely(nsegs > max))
		return VPRING_NO_ROOM;
	chain->nsegs = nsegs;
	chain->len = total;
	ring->avail_pos++;
	return VPRING_OK;
}

/**
 * vpring_show - show the peer all filled entries, without telling it
 * @ring: the ring
 *
 * A peer that polls goes on.  One that waits for an interrupt waits until
 * vpring_publish(), which must come soon; for a packed ring before more is
 * filled, because its positions cannot tell two rounds from none.
 */
void vpring_show(struct vpring *ring)
{
	if (vpring_is_packed(ring)) {
		vpring_packed_show(ring);
		return;
	}
	if (ring->used_pos == ring->used_shown)
		return;
	/* virtio 1.2, 2.7.9: the first entry of a batch names its last chain */
	if (vpring_is_special(ring))
		vpring_put_used(ring, ring->used_shown, ring->last_head, 0);
	/* release: entries, and the data in the buffers, before the index */
	virt_store_release(&ring->used->idx, put16(ring->used_pos));
	ring->used_shown = ring->used_pos;
}

/**
 * vpring_publish - show the peer all filled entries
 * @ring: the ring
 *
 * Return: true if the peer wants an interrupt for them, or for entries that
 * vpring_show() has shown before.
 */
bool vpring_publish(struct vpring *ring)
{
	u16 new = ring->used_pos, old = ring->used_told;

	if (vpring_is_packed(ring))
		return vpring_packed_publish(ring);
	if (new == old)
		return false;
	vpring_show(ring);
	ring->used_told = new;

	/*
	 * Full barrier: our index must be visible before we read whether the
	 * peer wants an interrupt.  The peer does the opposite, so one of us
	 * sees the other's write.
	 */
	virt_mb();
	if (ring->flags & VPRING_F_EVENT_IDX)
		return vring_need_event(get16(*vpring_used_event(ring)),
					new, old);
	return !(get16(ring->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/**
 * vpring_arm_ahead - ask for a kick once there are more than @ahead entries
 * @ring: the ring
 * @ahead: entries beyond those seen that need no kick; below the ring's size
 *
 * Without event indexes every entry kicks.
 *
 * Return: true if there are more than @ahead already, in which case the kick
 * may never come.
 */
bool vpring_arm_ahead(struct vpring *ring, u16 ahead)
{
	if (vpring_is_packed(ring))
		return vpring_packed_arm_ahead(ring, ahead);
	if (ring->error)
		return false;

	if (!(ring->flags & VPRING_F_EVENT_IDX)) {
		ahead = 0;
		if (!ring->armed)
			WRITE_ONCE(ring->used->flags, 0);
	} else {
		WRITE_ONCE(*vpring_avail_event(ring),
			   put16(ring->avail_seen + ahead));
	}
	ring->armed = true;

	/* full barrier: the mirror image of the one in vpring_publish() */
	virt_mb();
	/* if the index is out of order, vpring_pop() will refuse it */
	return (u16)(get16(ring->avail->idx) - ring->avail_seen) > ahead;
}

/**
 * vpring_disarm - ask not to be kicked, because we are looking anyway
 * @ring: the ring
 *
 * With event indexes there is nothing to write: once the peer has kicked, it
 * has passed the index that was armed.  One that was armed ahead may still
 * bring one kick.
 */
void vpring_disarm(struct vpring *ring)
{
	if (vpring_is_packed(ring)) {
		vpring_packed_disarm(ring);
		return;
	}
	if (!ring->armed || ring->error)
		return;
	ring->armed = false;
	if (!(ring->flags & VPRING_F_EVENT_IDX))
		WRITE_ONCE(ring->used->flags, put16(VRING_USED_F_NO_NOTIFY));
}

const char *vpring_strerror(enum vpring_error error)
{
	switch (error) {
	case VPRING_E_NONE:
		return "no error";
	case VPRING_E_SIZE:
		return "size is 0, above 32768 or not a power of two";
	case VPRING_E_ALIGN:
		return "ring is not aligned";
	case VPRING_E_AREA:
		return "ring lies outside the window";
	case VPRING_E_AVAIL_IDX:
		return "available index jumped";
	case VPRING_E_DESC_IDX:
		return "descriptor index out of range";
	case VPRING_E_LOOP:
		return "descriptor chain loops or is longer than the ring";
	case VPRING_E_TOO_LONG:
		return "descriptor chain too long";
	case VPRING_E_EMPTY_DESC:
		return "descriptor of length 0";
	case VPRING_E_DESC_ADDR:
		return "descriptor points outside the window";
	case VPRING_E_DIRECTION:
		return "descriptor of the wrong direction";
	case VPRING_E_INDIRECT:
		return "bad indirect descriptor";
	case VPRING_E_MEMORY:
		return "no memory to serve it";
	}
	return "unknown error";
}
