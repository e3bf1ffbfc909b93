// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A libFuzzer target for the driver's ring code.  The input is a program for
 * both ends of one ring: what the peer writes into its memory, and what the
 * driver asks of the ring.  Each chain is compared with what the reference
 * makes of the same bytes, the positions with what has been taken and
 * returned; the sanitizers see to the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "origin.h"
#include "reference.h"
#include "segs.h"

#define MOST_TAKEN	4096

#define MUST(cond)							\
do {									\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,	\
			#cond);						\
		abort();						\
	}								\
} while (0)

enum op {
	OP_RAW, OP_DESC, OP_TABLE, OP_OFFER, OP_POP, OP_POP_ALL, OP_FILL,
	OP_JOIN, OP_SHOW, OP_PUBLISH, OP_ARM, OP_DISARM, OP_SAVE, OP_ROLLBACK,
	OP_INDIRECT, OP_AGAIN, OP_COUNT
};

/* The rest of the input; zeroes beyond its end */
struct input {
	const u8 *at;
	size_t left;
};

struct run {
	struct vpring_window win;
	struct vpring_area area;
	u32 flags;
	bool packed;
	bool odd;			/* its used entries may be overwritten */
	struct vpring r;
	struct vpring_seg segs[VPRING_MAX_SEGS];
	struct ref_result ref;
	u32 taken[MOST_TAKEN];		/* heads, oldest first */
	u32 count;
	u32 filled;			/* of those */
	u32 lens[MOST_TAKEN];		/* with which they were filled */
	bool can_join;
	struct vpring_mark mark;
	bool marked;
	u32 marked_count, marked_filled;
	bool untold;			/* shown and not published */
	u32 next;			/* slot that the peer fills next */
	bool wrap;
};

static u8 *memory;			/* exactly ORIGIN_SIZE on the heap */
static struct vpring_done done[1024];

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u32 take(struct input *in, u32 bytes)
{
	u32 value = 0;

	while (bytes--) {
		value <<= 8;
		if (in->left) {
			value |= *in->at++;
			in->left--;
		}
	}
	return value;
}

/* One of a few, that they meet; sometimes any */
static u32 take_index(struct input *in)
{
	u32 value = take(in, 1);

	return value & 0x80 ? value : value % 8;
}

/* Mostly inside, sometimes at the edge, sometimes anywhere */
static u64 take_addr(struct input *in)
{
	u32 how = take(in, 1);
	u32 value = take(in, 2);

	switch (how % 8) {
	case 0:
		return ORIGIN_SIZE - value % 64;
	case 1:
		return ~0ULL - value;
	case 2:
		return (u64)value << (how >> 3);
	case 3 ... 5:
		return ORIGIN_TABLE + 16 * (value % 8);
	default:
		return ORIGIN_DATA + value % (ORIGIN_SIZE - ORIGIN_DATA);
	}
}

static u32 take_len(struct input *in)
{
	u32 how = take(in, 1);

	if (how % 16 == 0)
		return take(in, 4);
	return how < 128 ? how : 16 * (how % 16);
}

static void start(struct run *t)
{
	int err;

	if (t->packed)
		err = vpring_packed_init(&t->r, &t->win, &t->area, t->flags,
					 done, ARRAY_SIZE(done));
	else
		err = vpring_init(&t->r, &t->win, &t->area, t->flags);
	MUST(!err == !t->r.error);
	t->count = 0;
	t->filled = 0;
	t->can_join = false;
	t->marked = false;
	t->untold = false;
}

static u32 distance(const struct vpring *r, u16 from, u16 to)
{
	if (!r->packed)
		return (u16)(to - from);
	return to >= from ? to - from : 2 * r->size + to - from;
}

/* The slots or entries of these heads */
static u32 places(const struct run *t, u32 from, u32 to)
{
	u32 sum = 0;

	for (u32 i = from; i < to; i++)
		sum += t->packed ? t->taken[i] >> 16 : 1;
	return sum;
}

static void check_positions(const struct run *t)
{
	const struct vpring *r = &t->r;

	if (t->packed) {
		MUST(r->avail_pos < 2 * r->size && r->used_pos < 2 * r->size);
		MUST(r->avail_seen < 2 * r->size);
		MUST(r->used_shown < 2 * r->size);
	}
	MUST(distance(r, r->used_shown, r->avail_pos) <= r->size);
	MUST(distance(r, r->avail_pos, r->avail_seen) <= r->size);
	MUST(distance(r, r->used_shown, r->used_pos) ==
	     places(t, 0, t->filled));
	MUST(distance(r, r->used_shown, r->avail_pos) ==
	     places(t, 0, t->count));
}

/* What this pop must return */
static void expect(struct run *t)
{
	const struct vpring *r = &t->r;
	u16 idx;

	t->ref.result = VPRING_BROKEN;
	t->ref.error = r->error;
	if (r->error)
		return;
	if (t->packed) {
		ref_packed_chain(&t->win, r->slots, r->size, r->flags,
				 r->avail_pos, r->size -
				 distance(r, r->used_shown, r->avail_pos),
				 r->avail_seen != r->avail_pos, &t->ref);
		return;
	}
	idx = r->avail->idx;
	if (r->avail_pos == r->avail_seen) {
		if ((u16)(idx - r->used_shown) > r->size ||
		    (u16)(idx - r->avail_pos) > r->size) {
			t->ref.error = VPRING_E_AVAIL_IDX;
			return;
		}
		if (idx == r->avail_pos) {
			t->ref.result = VPRING_EMPTY;
			return;
		}
	}
	ref_chain(&t->win, r->desc, r->size, r->flags,
		  r->avail->ring[r->avail_pos % r->size], &t->ref);
	t->ref.head = r->avail->ring[r->avail_pos % r->size];
}

/* Whoever counts notices a loop later, and the chain may be too long by then */
static bool same_error(enum vpring_error got, enum vpring_error wanted)
{
	return got == wanted ||
	       (got == VPRING_E_TOO_LONG && wanted == VPRING_E_LOOP);
}

/* Others write there as well, so what we filled in may not stay */
static void spoil(struct run *t, const u8 *at, u32 len)
{
	const u8 *used = memory + ORIGIN_USED;

	if (at < memory + ORIGIN_TABLE && at + len > used)
		t->odd = true;
}

static void use(struct run *t, const struct vpring_chain *c)
{
	u32 hdr_len = vpnet_hdr_len(t->flags & 1 ? 1ULL << 32 : 0);
	struct virtio_net_hdr_mrg_rxbuf hdr = { 0 };
	struct vpsegs it;

	for (u32 i = 0; i < c->nsegs; i++) {
		const volatile u8 *at = t->segs[i].addr;

		(void)at[0];
		(void)at[t->segs[i].len - 1];
		if (t->flags & VPRING_F_WRITABLE)
			spoil(t, t->segs[i].addr, t->segs[i].len);
	}
	if (c->len < hdr_len)
		return;
	vpsegs_start(&it, t->segs);
	if (t->flags & VPRING_F_WRITABLE) {
		vpsegs_write_hdr(&it, &hdr, hdr_len);
		return;
	}
	vpsegs_read_hdr(&it, &hdr.hdr, hdr_len);
	if (vpnet_hdr_valid(&hdr.hdr, c->len - hdr_len, ~0ULL) &&
	    vpnet_hdr_requests(&hdr.hdr))
		MUST(hdr.hdr.csum_start + hdr.hdr.csum_offset + 2 <=
		     c->len - hdr_len);
	(void)vpnet_hdr_sendable(&hdr.hdr, ~0ULL);
}

static bool pop(struct run *t, u32 max)
{
	struct vpring_chain c = { 0 };
	enum vpring_result got;

	if (t->count == MOST_TAKEN)
		return false;
	expect(t);
	got = vpring_pop(&t->r, t->segs, max, &c);
	if (t->ref.result == VPRING_OK && t->ref.nsegs > max) {
		MUST(got == VPRING_NO_ROOM && !t->r.error);
		return false;
	}
	MUST(got == t->ref.result);
	MUST(same_error(t->r.error, t->ref.error));
	if (got != VPRING_OK)
		return false;
	MUST(c.nsegs == t->ref.nsegs && c.len == t->ref.len);
	MUST(c.head == t->ref.head);
	for (u32 i = 0; i < c.nsegs; i++) {
		MUST(t->segs[i].addr == memory + t->ref.seg[i].addr);
		MUST(t->segs[i].len == t->ref.seg[i].len);
	}
	t->taken[t->count++] = c.head;
	use(t, &c);
	return true;
}

/* What the peer's driver finds in the first slot of each buffer */
static void check_slots(const struct run *t, u32 pos)
{
	const struct vpring *r = &t->r;

	for (u32 i = 0; i < t->filled; i++) {
		const struct vring_packed_desc *d = &r->slots[pos % r->size];

		MUST((d->flags & 0x8080) == (pos < r->size ? 0x8080 : 0));
		MUST(d->id == (u16)t->taken[i] && d->len == t->lens[i]);
		pos = (pos + (t->taken[i] >> 16)) % (2 * r->size);
	}
}

/* The same for a split ring; in order the first entry stands for all */
static void check_entries(const struct run *t, u16 pos)
{
	const struct vpring *r = &t->r;
	const struct vring_used_elem *e = r->used->ring;

	if (!t->filled)
		return;
	MUST(r->used->idx == r->used_pos);
	if (t->odd)
		return;
	if (r->special) {
		MUST(e[pos % r->size].id == t->taken[t->filled - 1]);
		return;
	}
	for (u32 i = 0; i < t->filled; i++, pos++) {
		MUST(e[pos % r->size].id == t->taken[i]);
		MUST(e[pos % r->size].len == t->lens[i]);
	}
}

/* What was filled belongs to the peer from here on */
static void shown(struct run *t, u32 before)
{
	if (t->packed)
		check_slots(t, before);
	else
		check_entries(t, before);
	t->count -= t->filled;
	memmove(t->taken, t->taken + t->filled, 4 * t->count);
	t->filled = 0;
	t->can_join = false;
	t->marked = false;
	MUST(t->r.used_shown == t->r.used_pos);
}

static void publish(struct run *t)
{
	u32 before = t->r.used_shown;

	vpring_publish(&t->r);
	shown(t, before);
	t->untold = false;
	MUST(t->r.used_told == t->r.used_pos);
}

static void fill(struct run *t, u32 len)
{
	if (t->filled == t->count)
		return;
	/* a packed ring is always published before more is filled */
	if (t->packed && t->untold)
		publish(t);
	vpring_fill(&t->r, t->taken[t->filled], len);
	t->lens[t->filled++] = len;
	t->can_join = true;
}

static void roll_back(struct run *t)
{
	/* the side that may complete in order never does */
	if (!t->marked || t->flags & VPRING_F_IN_ORDER)
		return;
	vpring_rollback(&t->r, &t->mark);
	t->count = t->marked_count;
	t->filled = t->marked_filled;
	t->can_join = false;
}

/* The next slot of a packed ring, as its driver would */
static void put_slot(struct run *t, u64 addr, u32 len, u16 id, u16 flags)
{
	struct vring_packed_desc *d = (void *)(memory + ORIGIN_DESC);

	d += t->next;
	d->addr = addr;
	d->len = len;
	d->id = id;
	d->flags = flags | (t->wrap ? 0x80 : 0x8000);
	if (++t->next >= t->area.size) {
		t->next = 0;
		t->wrap = !t->wrap;
	}
}

static void write_desc(struct run *t, struct input *in)
{
	u32 i = take_index(in), what;
	u64 addr = take_addr(in);
	u32 len = take_len(in);
	u16 flags = t->flags & VPRING_F_WRITABLE ? VRING_DESC_F_WRITE : 0;

	what = take(in, 1);
	/* odd ones are the exception */
	flags ^= what & 1 ? what >> 5 : what & VRING_DESC_F_INDIRECT;
	if (what & 8)
		flags ^= VRING_DESC_F_NEXT;
	if (!t->packed) {
		struct vring_desc *d = (void *)(memory + ORIGIN_DESC);

		origin_desc(&d[i], addr, len, flags, take_index(in));
		return;
	}
	put_slot(t, addr, len, i, flags);
}

static void offer(struct run *t, u16 head)
{
	struct vring_avail *avail = (void *)(memory + ORIGIN_AVAIL);

	avail->ring[avail->idx % t->area.size] = head;
	avail->idx++;
}

/* A descriptor that names a table, correct in itself */
static void offer_table(struct run *t, struct input *in)
{
	struct vring_desc *d = (void *)(memory + ORIGIN_DESC);
	u32 i = take_index(in), what = take(in, 1);
	u64 addr = ORIGIN_TABLE + 16 * (what >> 4);
	u32 len = 16 * (1 + what % 4);

	if (t->packed) {
		put_slot(t, addr, len, i, VRING_DESC_F_INDIRECT);
		return;
	}
	origin_desc(&d[i], addr, len, VRING_DESC_F_INDIRECT, 0);
	offer(t, i);
}

static void write_table(struct run *t, struct input *in)
{
	u32 i = take_index(in);
	u64 addr = take_addr(in);
	u32 len = take_len(in);
	u16 flags = take(in, 1) % 16, next = take_index(in);

	if (t->flags & VPRING_F_WRITABLE)
		flags ^= VRING_DESC_F_WRITE;
	if (t->packed) {
		struct vring_packed_desc *d = (void *)(memory + ORIGIN_TABLE);

		d[i].addr = addr;
		d[i].len = len;
		d[i].id = next;
		d[i].flags = flags;
	} else {
		struct vring_desc *d = (void *)(memory + ORIGIN_TABLE);

		origin_desc(&d[i], addr, len, flags, next);
	}
}

static void write_raw(struct run *t, struct input *in)
{
	u32 at = take(in, 2) * 2;
	u32 n = take(in, 1) % 32;

	spoil(t, memory + at, n);
	while (n-- && at < ORIGIN_SIZE)
		memory[at++] = take(in, 1);
}

static void step(struct run *t, struct input *in)
{
	struct vpring *r = &t->r;
	u16 before = r->used_shown;

	switch (take(in, 1) % OP_COUNT) {
	case OP_RAW:
		write_raw(t, in);
		break;
	case OP_DESC:
		write_desc(t, in);
		break;
	case OP_TABLE:
		write_table(t, in);
		break;
	case OP_OFFER:
		if (!t->packed)
			offer(t, take_index(in));
		break;
	case OP_POP:
		pop(t, 1 + take(in, 1) % 64);
		break;
	case OP_POP_ALL:
		MUST(t->packed || vpring_room(r) <= r->size);
		for (int i = 0; i < 64 && pop(t, VPRING_MAX_SEGS); i++)
			if (i % 2)
				fill(t, i);
		break;
	case OP_FILL:
		fill(t, take(in, 1));
		break;
	case OP_JOIN:
		if (t->can_join)
			vpring_join(r);
		break;
	case OP_SHOW:
		t->untold = true;
		vpring_show(r);
		shown(t, before);
		break;
	case OP_PUBLISH:
		publish(t);
		break;
	case OP_ARM:
		vpring_arm_ahead(r, take(in, 1) % r->size);
		break;
	case OP_DISARM:
		vpring_disarm(r);
		break;
	case OP_SAVE:
		vpring_save(r, &t->mark);
		t->marked = true;
		t->marked_count = t->count;
		t->marked_filled = t->filled;
		break;
	case OP_ROLLBACK:
		roll_back(t);
		break;
	case OP_INDIRECT:
		offer_table(t, in);
		break;
	case OP_AGAIN:
		start(t);
		break;
	}
	if (!r->error)
		check_positions(t);
	MUST(vpring_pending(r) <= r->size);
}

/* Valid content wherever the input may point, for it to spoil */
static void fill_memory(const struct run *t)
{
	u16 direction = t->flags & VPRING_F_WRITABLE ? VRING_DESC_F_WRITE : 0;
	struct vring_packed_desc *pt = (void *)(memory + ORIGIN_TABLE);
	struct vring_desc *st = (void *)(memory + ORIGIN_TABLE);
	struct vring_desc *d = (void *)(memory + ORIGIN_DESC);

	for (u32 i = 0; i < 32; i++) {
		u64 addr = ORIGIN_DATA + 64 * i;

		if (t->packed) {
			pt[i].addr = addr;
			pt[i].len = 1 + i;
			pt[i].flags = direction;
			continue;
		}
		origin_desc(&st[i], addr, 1 + i, direction |
			    (i % 4 ? VRING_DESC_F_NEXT : 0), 1 + i % 3);
		origin_desc(&d[i], addr, 1 + i, direction, i + 1);
	}
}

static void place(struct run *t, struct input *in, u32 odd)
{
	u32 size = take(in, 1);
	u16 at = take(in, 2);

	t->area.desc = ORIGIN_DESC;
	t->area.avail = ORIGIN_AVAIL;
	t->area.used = ORIGIN_USED;
	t->area.size = t->packed ? 1 + size : 1u << (size % 9);
	if (t->packed) {
		struct vring_packed_desc *d = (void *)(memory + ORIGIN_DESC);

		/* as if in use: returned in this round up to here */
		t->next = at % t->area.size;
		t->wrap = at & 0x8000;
		for (u32 i = 0; i < t->area.size; i++)
			d[i].flags = (i < t->next) == t->wrap ? 0x8080 : 0;
	} else {
		*(u16 *)(memory + ORIGIN_USED + 2) = at;
		*(u16 *)(memory + ORIGIN_AVAIL + 2) = at;
	}
	/* a peer may say anything, also that the parts overlap */
	if (odd & 1)
		t->area.size = take(in, 2);
	if (odd & 2)
		t->area.desc = take_addr(in);
	if (odd & 4)
		t->area.avail = take_addr(in);
	if (odd & 8)
		t->area.used = take_addr(in);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	static struct run t;
	u32 how, odd;

	if (!memory) {
		memory = aligned_alloc(4096, ORIGIN_SIZE);
		if (!memory)
			abort();
	}
	memset(memory, 0, ORIGIN_SIZE);
	how = take(&in, 1);
	odd = take(&in, 1);
	t.packed = how & 1;
	t.flags = (how >> 1) & 15;
	t.win.base = memory;
	t.win.size = ORIGIN_SIZE;
	if (how & 0xe0)
		fill_memory(&t);
	/* rarely, or most of the time is spent on what is refused at once */
	t.odd = odd % 8 == 7;
	place(&t, &in, t.odd ? odd >> 4 : 0);
	start(&t);
	while (in.left && (!t.r.error || t.r.size))
		step(&t, &in);
	return 0;
}
