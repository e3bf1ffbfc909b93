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

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/types.h>
#include <linux/virtio_byteorder.h>
#include <linux/virtio_ring.h>

/*
 * The longest descriptor chain, and indirect table, that is taken.  QEMU's
 * own devices have the same limit, so no working driver exceeds it.
 */
#define VPRING_MAX_SEGS		1024

/* Largest ring of the virtio specification */
#define VPRING_MAX_SIZE		32768

/* The peer's memory: byte N is byte N of its guest-physical address space */
struct vpring_window {
	void *base;
	u64 size;
};

/* Where the peer says its ring is; all of it untrusted */
struct vpring_area {
	u64 desc;
	u64 avail;
	u64 used;
	u32 size;
};

/* struct vpring_setup.flags */
#define VPRING_F_EVENT_IDX	0x1	/* VIRTIO_RING_F_EVENT_IDX */
#define VPRING_F_INDIRECT	0x2	/* VIRTIO_RING_F_INDIRECT_DESC */
#define VPRING_F_WRITABLE	0x4	/* we write the buffers, else we read */
#define VPRING_F_IN_ORDER	0x8	/* VIRTIO_F_IN_ORDER */

/* A piece of a buffer, already checked to lie in the window */
struct vpring_seg {
	void *addr;
	u32 len;
};

struct vpring_chain {
	u64 len;		/* sum of all its segments */
	u32 nsegs;
	u32 head;		/* for vpring_fill() */
};

/* What vpring_pop() has found */
enum vpring_result {
	VPRING_OK,
	VPRING_EMPTY,
	VPRING_NO_ROOM,		/* chain is valid, but longer than @max */
	VPRING_BROKEN,		/* peer broke the rules; reason in vpring.error */
};

/* Why a ring cannot be used (any longer) */
enum vpring_error {
	VPRING_E_NONE,
	VPRING_E_SIZE,
	VPRING_E_ALIGN,
	VPRING_E_AREA,
	VPRING_E_AVAIL_IDX,
	VPRING_E_DESC_IDX,
	VPRING_E_LOOP,
	VPRING_E_TOO_LONG,
	VPRING_E_EMPTY_DESC,
	VPRING_E_DESC_ADDR,
	VPRING_E_DIRECTION,
	VPRING_E_INDIRECT,
	VPRING_E_MEMORY,
};

/* A slot of a packed ring that is filled and not yet shown to the peer */
struct vpring_done {
	u32 len;
	u16 id;
	bool inner;		/* of a chain, not its first */
	bool joined;		/* to be seen together with the one before */
};

/*
 * All positions of a split ring are free-running 16-bit counters as in the
 * ring itself:
 *
 *   used_told <= used_shown <= used_pos <= avail_pos <= avail_seen
 *
 * at most @size apart, but for used_told.  For those of a packed ring see
 * ring_packed.c.  Callers serialise all calls for one ring.
 */
struct vpring {
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	struct vpring_window win;
	u32 size;
	u32 flags;
	enum vpring_error error;
	u16 avail_pos;		/* next available entry to take */
	u16 avail_seen;		/* peer's avail->idx when last read */
	u16 used_pos;		/* next used entry to fill */
	u16 used_shown;		/* used->idx as the peer sees it */
	u16 used_told;		/* ... when its wish was last read */
	bool armed;		/* peer has been asked for a kick */

	bool special;		/* packed, or returned in order */
	bool packed;
	u16 last_head;		/* in order: of the last chain filled */
	/* packed */
	u16 filled;		/* slot that was filled last */
	struct vring_packed_desc *slots;
	const u32 *driver_event;	/* struct vring_packed_desc_event */
	u32 *device_event;
	struct vpring_done *done;	/* the caller's, one for each slot */
};

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

/* ring_packed.c */
int vpring_packed_init(struct vpring *ring, const struct vpring_window *win,
		       const struct vpring_area *area, u32 flags,
		       struct vpring_done *done, u32 room);
enum vpring_result vpring_packed_pop(struct vpring *ring,
				     struct vpring_seg *segs, u32 max,
				     struct vpring_chain *chain);
void vpring_fill_special(struct vpring *ring, u32 head, u32 len);
u16 vpring_packed_pending(const struct vpring *ring);
void vpring_packed_show(struct vpring *ring);
bool vpring_packed_publish(struct vpring *ring);
bool vpring_packed_arm_ahead(struct vpring *ring, u16 ahead);
void vpring_packed_disarm(struct vpring *ring);

/*
 * On when there has been a ring that is not a plain split one, so that for
 * those nothing has to be looked up.
 */
DECLARE_STATIC_KEY_FALSE(vpring_special_key);

static __always_inline bool vpring_is_special(const struct vpring *ring)
{
	return static_branch_unlikely(&vpring_special_key) && ring->special;
}

static __always_inline bool vpring_is_packed(const struct vpring *ring)
{
	return static_branch_unlikely(&vpring_special_key) && ring->packed;
}

/* What the peer names in its memory; NULL when it is not all in the window */
static inline void *vpring_at(const struct vpring_window *win, u64 addr,
			      u64 len)
{
	if (addr > win->size || len > win->size - addr)
		return NULL;
	return win->base + addr;
}

static inline enum vpring_result vpring_fail(struct vpring *ring,
					     enum vpring_error error)
{
	ring->error = error;
	return VPRING_BROKEN;
}

/* The origin is a virtio 1.x driver, or a legacy one on little-endian x86 */
#define vpring_get16(field)	__virtio16_to_cpu(true, READ_ONCE(field))
#define vpring_get32(field)	__virtio32_to_cpu(true, READ_ONCE(field))
#define vpring_get64(field)	__virtio64_to_cpu(true, READ_ONCE(field))
#define vpring_put16(val)	__cpu_to_virtio16(true, (val))
#define vpring_put32(val)	__cpu_to_virtio32(true, (val))
#define vpring_put64(val)	__cpu_to_virtio64(true, (val))

/**
 * vpring_peek - is the next chain the most frequent one?
 * @ring: the ring
 * @seg: receives its only piece, inside the window
 * @head: for vpring_fill()
 *
 * That is an entry that has been seen before and names one descriptor without
 * a flaw.  What is not exactly that is left to vpring_pop(), which reads it
 * again and trusts nothing found here.  Nothing is taken before vpring_take().
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
 * What was filled last belongs to the same frame as what was filled before.
 * The index of a split ring shows all at once anyway.
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

/* Entries shown to a peer that may sleep; of a packed ring: take it for all */
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

/* Remember a position, to give back everything popped since */
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
