/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device side of one virtqueue that lives in another VM's memory: a split
 * one (ring.c) or a packed one (ring_packed.c).
 *
 * Nothing here knows about network devices, interrupts or the PCI device, so
 * tests/driver runs the same code in user space against hostile rings.
 */
#ifndef VHOST_PCI_RING_H
#define VHOST_PCI_RING_H

#include "ring_packed.h"
#include "ring_types.h"

struct vpring_mark {
	u16 avail_pos;
	u16 used_pos;
};

int vpring_init(struct vpring *ring, const struct vpring_window *win,
		const struct vpring_area *area, u32 flags);
enum vpring_result vpring_pop_chain(struct vpring *ring,
				    struct vpring_seg *segs, u32 max,
				    struct vpring_chain *chain);
u32 vpring_room(struct vpring *ring);
void vpring_show(struct vpring *ring);
bool vpring_publish(struct vpring *ring);
bool vpring_arm_ahead(struct vpring *ring, u16 ahead);
void vpring_disarm(struct vpring *ring);
const char *vpring_strerror(enum vpring_error error);

/**
 * vpring_peek - is the next chain the common case?
 * @ring: the ring
 * @seg: receives its only piece, inside the window
 * @head: for vpring_fill()
 *
 * That is an entry seen before that names one flawless descriptor.  Anything
 * else is left to vpring_pop(), which reads it again and trusts nothing found
 * here.  Nothing is taken before vpring_take().
 */
static __always_inline bool vpring_peek(const struct vpring *ring,
					struct vpring_seg *seg, u16 *head)
{
	const u16 plain = ring->flags & VPRING_F_WRITABLE ?
			  VRING_DESC_F_WRITE : 0;
	const u16 pos = ring->avail_pos;
	const struct vring_desc *desc;
	u32 i, len;
	u64 addr;

	if (vpring_is_packed(ring) || unlikely(pos == ring->avail_seen) ||
	    unlikely(ring->error))
		return false;

	i = vpring_get16(ring->avail->ring[pos & (ring->size - 1)]);
	if (unlikely(i >= ring->size))
		return false;
	desc = &ring->desc[i];
	addr = vpring_get64(desc->addr);
	len = vpring_get32(desc->len);
	if (vpring_get16(desc->flags) != plain)
		return false;
	if (unlikely(!len || addr > ring->win.size ||
		     len > ring->win.size - addr))
		return false;

	seg->addr = ring->win.base + addr;
	seg->len = len;
	*head = i;
	return true;
}

/* Take what vpring_peek() has found */
static __always_inline void vpring_take(struct vpring *ring)
{
	ring->avail_pos++;
}

/**
 * vpring_pop - take the next chain and check all of it
 * @ring: the ring
 * @segs: receives the buffer's pieces, each inside the window
 * @max: room in @segs
 * @chain: receives the summary
 */
static inline enum vpring_result vpring_pop(struct vpring *ring,
					    struct vpring_seg *segs, u32 max,
					    struct vpring_chain *chain)
{
	u16 head;

	if (unlikely(!max) || !vpring_peek(ring, segs, &head))
		return vpring_pop_chain(ring, segs, max, chain);
	vpring_take(ring);
	chain->head = head;
	chain->len = segs->len;
	chain->nsegs = 1;
	return VPRING_OK;
}

static inline void vpring_put_used(struct vpring *ring, u16 pos, u32 head,
				   u32 len)
{
	struct vring_used_elem *elem =
		&ring->used->ring[pos & (ring->size - 1)];

	WRITE_ONCE(elem->id, vpring_put32(head));
	WRITE_ONCE(elem->len, vpring_put32(len));
}

/**
 * vpring_fill - put a chain into the used ring, not yet shown to the peer
 * @ring: the ring
 * @head: from the chain
 * @len: bytes written to it
 */
static inline void vpring_fill(struct vpring *ring, u32 head, u32 len)
{
	if (vpring_is_special(ring)) {
		vpring_fill_special(ring, head, len);
		return;
	}
	vpring_put_used(ring, ring->used_pos, head, len);
	ring->used_pos++;
}

/*
 * The chain filled last belongs to the same frame as the one before.  A split
 * ring needs no mark: its index shows all at once.
 */
static inline void vpring_join(struct vpring *ring)
{
	if (vpring_is_packed(ring))
		ring->done[ring->filled].joined = true;
}

/* Entries seen but not taken */
static inline u16 vpring_pending(const struct vpring *ring)
{
	if (vpring_is_packed(ring))
		return vpring_packed_pending(ring);
	return ring->avail_seen - ring->avail_pos;
}

/* Entries shown to a peer that may be asleep; of a packed ring: the most */
static inline u32 vpring_untold(const struct vpring *ring)
{
	if (vpring_is_packed(ring))
		return ring->size;
	return (u16)(ring->used_pos - ring->used_told);
}

/* Ask for a kick when there is more than has been seen */
static inline bool vpring_arm(struct vpring *ring)
{
	return vpring_arm_ahead(ring, 0);
}

/* Remember the position, to undo all pops and fills since */
static inline void vpring_save(const struct vpring *ring,
			       struct vpring_mark *mark)
{
	mark->avail_pos = ring->avail_pos;
	mark->used_pos = ring->used_pos;
}

static inline void vpring_rollback(struct vpring *ring,
				   const struct vpring_mark *mark)
{
	ring->avail_pos = mark->avail_pos;
	ring->used_pos = mark->used_pos;
}

#endif /* VHOST_PCI_RING_H */
