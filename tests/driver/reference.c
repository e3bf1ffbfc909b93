// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "reference.h"

#define NEXT	VRING_DESC_F_NEXT
#define WRITE	VRING_DESC_F_WRITE
#define IND	VRING_DESC_F_INDIRECT

static void ref_start(struct ref_result *ref)
{
	ref->result = VPRING_BROKEN;
	ref->error = VPRING_E_NONE;
	ref->nsegs = 0;
	ref->len = 0;
}

static bool ref_inside(const struct vpring_window *win, u64 addr, u32 len)
{
	return (unsigned __int128)addr + len <= win->size;
}

/* One piece of a buffer, whatever described it */
static enum vpring_error ref_piece(const struct vpring_window *win, u32 flags,
				   u64 addr, u32 len, u16 desc_flags,
				   struct ref_result *ref)
{
	if (!len)
		return VPRING_E_EMPTY_DESC;
	if (!ref_inside(win, addr, len))
		return VPRING_E_DESC_ADDR;
	if (!!(desc_flags & WRITE) != !!(flags & VPRING_F_WRITABLE))
		return VPRING_E_DIRECTION;
	if (ref->nsegs == VPRING_MAX_SEGS)
		return VPRING_E_TOO_LONG;
	ref->seg[ref->nsegs].addr = addr;
	ref->seg[ref->nsegs++].len = len;
	ref->len += len;
	return VPRING_E_NONE;
}

static enum vpring_error ref_table(const struct vpring_window *win, u32 flags,
				   u64 addr, u32 len, u16 desc_flags)
{
	if (!len)
		return VPRING_E_EMPTY_DESC;
	if (!ref_inside(win, addr, len))
		return VPRING_E_DESC_ADDR;
	if (!(flags & VPRING_F_INDIRECT) || (desc_flags & NEXT) || len % 16 ||
	    len > 1024 * 16 || addr % 8)
		return VPRING_E_INDIRECT;
	return VPRING_E_NONE;
}

/* Where the driver only counts, there is a map of what has been visited. */
void ref_chain(const struct vpring_window *win, const struct vring_desc *desc,
	       u32 size, u32 flags, u32 head, struct ref_result *ref)
{
	static bool visited[2][VPRING_MAX_SIZE];
	const struct vring_desc *t = desc;
	u32 n = size, i = head;
	int level = 0;

	ref_start(ref);
	memset(visited[0], 0, size);
	memset(visited[1], 0, VPRING_MAX_SEGS);
	for (;;) {
		const struct vring_desc *d = &t[i];

		if (i >= n)
			ref->error = VPRING_E_DESC_IDX;
		else if (visited[level][i])
			ref->error = VPRING_E_LOOP;
		else if (d->flags & IND)
			ref->error = ref_table(win, flags, d->addr, d->len,
					       d->flags);
		else
			ref->error = ref_piece(win, flags, d->addr, d->len,
					       d->flags, ref);
		if (!ref->error && (d->flags & IND) && level)
			ref->error = VPRING_E_INDIRECT;
		if (ref->error)
			return;
		visited[level][i] = true;
		if (d->flags & IND) {
			level = 1;
			n = d->len / 16;
			t = win->base + d->addr;
			i = 0;
		} else if (d->flags & NEXT) {
			i = d->next;
		} else {
			ref->result = VPRING_OK;
			return;
		}
	}
}

void ref_packed_chain(const struct vpring_window *win,
		      const struct vring_packed_desc *slots, u32 size,
		      u32 flags, u32 pos, u32 room, bool seen,
		      struct ref_result *ref)
{
	const struct vring_packed_desc *d = &slots[pos % size];
	bool wrap = pos < size;
	u32 n;

	ref_start(ref);
	if (!!(d->flags & 0x80) != wrap || !!(d->flags & 0x8000) == wrap) {
		if (seen)
			ref->error = VPRING_E_AVAIL_IDX;
		else
			ref->result = VPRING_EMPTY;
		return;
	}
	for (n = 1; !ref->error; n++, d = &slots[(pos + n - 1) % size]) {
		if (n > room) {
			ref->error = VPRING_E_LOOP;
		} else if (d->flags & IND) {
			const struct vring_packed_desc *t;

			ref->error = n > 1 ? VPRING_E_INDIRECT :
				     ref_table(win, flags, d->addr, d->len,
					       d->flags);
			if (ref->error)
				return;
			t = win->base + d->addr;
			for (u32 i = 0; i < d->len / 16 && !ref->error; i++)
				ref->error = t[i].flags & IND ?
					     VPRING_E_INDIRECT :
					     ref_piece(win, flags, t[i].addr,
						       t[i].len, t[i].flags,
						       ref);
			break;
		} else {
			ref->error = ref_piece(win, flags, d->addr, d->len,
					       d->flags, ref);
			if (!(d->flags & NEXT))
				break;
		}
	}
	if (ref->error)
		return;
	ref->head = d->id | n << 16;
	ref->result = VPRING_OK;
}
