/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What split and packed rings share: the ring, the pieces of a buffer, and
 * access to the peer's memory.
 */
#ifndef VHOST_PCI_RING_TYPES_H
#define VHOST_PCI_RING_TYPES_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <linux/virtio_byteorder.h>
#include <linux/virtio_ring.h>

/*
 * The longest descriptor chain and indirect table that we take.  QEMU's own
 * devices have the same limit, so no working driver exceeds it.
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

/* struct vpring.flags */
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

/* Why a ring cannot be used */
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
	u16 used_told;		/* ... at the last vpring_publish() */
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

/* A range of the peer's memory; NULL if it is not wholly in the window */
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

#endif /* VHOST_PCI_RING_TYPES_H */
