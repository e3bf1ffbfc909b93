// SPDX-License-Identifier: GPL-2.0-or-later
/* One test for each way in which an origin can break the rules */
#include <string.h>

#include "check.h"
#include "origin.h"

#define NEXT	VRING_DESC_F_NEXT
#define WRITE	VRING_DESC_F_WRITE
#define IND	VRING_DESC_F_INDIRECT

static struct vpring_seg segs[VPRING_MAX_SEGS];

static void init_fails(struct origin *o, enum vpring_error want)
{
	struct vpring r;

	CHECK(vpring_init(&r, &o->win, &o->area, 0) < 0);
	CHECK(r.error == want);
}

static void bad_sizes(void)
{
	const u32 sizes[] = { 0, 3, 6, 65536, 0x80000000, 0xffffffff };
	struct origin o;

	origin_init(&o, 8);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		o.area.size = sizes[i];
		init_fails(&o, VPRING_E_SIZE);
	}
	origin_free(&o);
}

static void bad_places(void)
{
	const struct {
		u64 addr;
		enum vpring_error want;
	} cases[] = {
		{ ORIGIN_SIZE, VPRING_E_AREA },
		{ ORIGIN_SIZE - 16, VPRING_E_AREA },
		{ 1ULL << 63, VPRING_E_AREA },
		{ ~0ULL & ~15ULL, VPRING_E_AREA },
		{ 1, VPRING_E_ALIGN },
	};
	struct origin o;

	origin_init(&o, 8);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		u64 *fields[] = { &o.area.desc, &o.area.avail, &o.area.used };

		for (int f = 0; f < 3; f++) {
			u64 good = *fields[f];

			*fields[f] = cases[i].addr;
			init_fails(&o, cases[i].want);
			*fields[f] = good;
		}
	}
	origin_free(&o);
}

/* The last byte of each area decides */
static void areas_to_the_last_byte(void)
{
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	o.area.desc = ORIGIN_SIZE - 8 * 16;
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	o.area.desc += 16;
	init_fails(&o, VPRING_E_AREA);
	o.area.desc = 0;

	o.area.avail = ORIGIN_SIZE - (6 + 8 * 2);
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	o.area.avail += 2;
	init_fails(&o, VPRING_E_AREA);
	o.area.avail = ORIGIN_AVAIL;

	/* 6 + 8 * 8 is not a multiple of 4, which leaves two bytes */
	o.area.used = ORIGIN_SIZE - (6 + 8 * 8) - 2;
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	o.area.used += 4;
	init_fails(&o, VPRING_E_AREA);
	origin_free(&o);
}

/*
 * The ring must break for this reason, without a change to the origin's memory,
 * and must stay broken when the origin repairs it.
 */
static void pop_breaks(struct origin *o, u32 flags, enum vpring_error want)
{
	static u8 before[ORIGIN_SIZE];
	struct vpring_chain c;
	struct vpring r;

	CHECK(!vpring_init(&r, &o->win, &o->area, flags));
	vpring_arm(&r);
	memcpy(before, o->mem, ORIGIN_SIZE);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_BROKEN);
	CHECK(r.error == want);
	CHECK(strcmp(vpring_strerror(want), "unknown error"));
	CHECK(!memcmp(before, o->mem, ORIGIN_SIZE));

	/* all is well now, but it is too late */
	for (u32 i = 0; i < o->size; i++) {
		origin_desc(&o->desc[i], ORIGIN_DATA, 1,
			    flags & VPRING_F_WRITABLE ? WRITE : 0, 0);
		o->avail->ring[i] = i;
	}
	o->avail->idx = o->used->idx + 1;
	memcpy(before, o->mem, ORIGIN_SIZE);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_BROKEN);
	CHECK(!vpring_arm(&r));
	vpring_disarm(&r);
	CHECK(!vpring_publish(&r));
	CHECK(!memcmp(before, o->mem, ORIGIN_SIZE));
}

static void avail_index_jumps(void)
{
	const u16 jumps[] = { 9, 10, 32768, 65535 };
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	for (unsigned int i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		o.avail->idx = jumps[i];
		pop_breaks(&o, 0, VPRING_E_AVAIL_IDX);
	}

	/* exactly full is allowed */
	origin_desc(&o.desc[0], ORIGIN_DATA, 1, 0, 0);
	o.avail->idx = 8;
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	for (int i = 0; i < 8; i++)
		CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
	/* more, while nothing has been returned, is not */
	o.avail->idx = 9;
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_BROKEN);
	CHECK(r.error == VPRING_E_AVAIL_IDX);
	origin_free(&o);
}

/* Back behind what has been taken, but not behind what has been returned */
static void avail_index_goes_back(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	origin_desc(&o.desc[0], ORIGIN_DATA, 1, 0, 0);
	o.avail->idx = 5;
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	for (int i = 0; i < 5; i++)
		CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
	o.avail->idx = 3;
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_BROKEN);
	CHECK(r.error == VPRING_E_AVAIL_IDX);
	origin_free(&o);
}

static void head_out_of_range(void)
{
	const u16 heads[] = { 8, 9, 32768, 65535 };
	struct origin o;

	origin_init(&o, 8);
	for (unsigned int i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		o.avail->idx = 0;
		origin_offer(&o, heads[i]);
		pop_breaks(&o, 0, VPRING_E_DESC_IDX);
	}
	origin_free(&o);
}

static void next_out_of_range(void)
{
	const u16 nexts[] = { 8, 65535 };
	struct vring_desc *t;
	struct origin o;

	origin_init(&o, 8);
	for (int i = 0; i < 2; i++) {
		origin_desc(&o.desc[0], ORIGIN_DATA, 1, NEXT, nexts[i]);
		o.avail->idx = 0;
		origin_offer(&o, 0);
		pop_breaks(&o, 0, VPRING_E_DESC_IDX);

		/* in a table, the table's size counts, not the ring's */
		t = origin_table(&o, ORIGIN_TABLE);
		origin_desc(&o.desc[0], ORIGIN_TABLE, 2 * sizeof(*t), IND, 0);
		origin_desc(&t[0], ORIGIN_DATA, 1, NEXT, 2);
		o.avail->idx = 1;
		pop_breaks(&o, VPRING_F_INDIRECT, VPRING_E_DESC_IDX);
	}
	origin_free(&o);
}

static void loops(void)
{
	struct vring_desc *t;
	struct origin o;

	origin_init(&o, 8);
	origin_desc(&o.desc[0], ORIGIN_DATA, 1, NEXT, 0);
	origin_offer(&o, 0);
	pop_breaks(&o, 0, VPRING_E_LOOP);

	origin_desc(&o.desc[0], ORIGIN_DATA, 1, NEXT, 1);
	origin_desc(&o.desc[1], ORIGIN_DATA, 1, NEXT, 2);
	origin_desc(&o.desc[2], ORIGIN_DATA, 1, NEXT, 1);
	o.avail->idx = 1;
	pop_breaks(&o, 0, VPRING_E_LOOP);

	t = origin_table(&o, ORIGIN_TABLE);
	origin_desc(&o.desc[0], ORIGIN_TABLE, 4 * sizeof(*t), IND, 0);
	origin_desc(&t[0], ORIGIN_DATA, 1, NEXT, 3);
	origin_desc(&t[3], ORIGIN_DATA, 1, NEXT, 0);
	o.avail->idx = 1;
	pop_breaks(&o, VPRING_F_INDIRECT, VPRING_E_LOOP);
	origin_free(&o);
}

static void chain_too_long(void)
{
	struct vring_desc *t;
	struct origin o;

	origin_init(&o, 8);
	t = origin_table(&o, ORIGIN_TABLE);
	origin_desc(&o.desc[0], ORIGIN_DATA, 1, NEXT, 1);
	origin_desc(&o.desc[1], ORIGIN_TABLE, 1024 * sizeof(*t), IND, 0);
	for (int i = 0; i < 1024; i++)
		origin_desc(&t[i], ORIGIN_DATA, 1, i < 1023 ? NEXT : 0, i + 1);
	origin_offer(&o, 0);
	pop_breaks(&o, VPRING_F_INDIRECT, VPRING_E_TOO_LONG);
	origin_free(&o);
}

static void empty_descriptors(void)
{
	const u16 flags[] = { 0, NEXT, IND };
	struct origin o;

	origin_init(&o, 8);
	for (int i = 0; i < 3; i++) {
		/*
		 * CVE-2020-10725: a length of 0 must not skip the check of the
		 * address
		 */
		origin_desc(&o.desc[0], i ? ORIGIN_DATA : ~0ULL, 0, flags[i],
			    0);
		o.avail->idx = 0;
		origin_offer(&o, 0);
		pop_breaks(&o, VPRING_F_INDIRECT, VPRING_E_EMPTY_DESC);
	}
	origin_free(&o);
}

static void outside_the_window(void)
{
	const struct {
		u64 addr;
		u32 len;
	} cases[] = {
		{ ORIGIN_SIZE, 1 },
		{ ORIGIN_SIZE - 1, 2 },
		{ 0, ORIGIN_SIZE + 1 },
		{ 0, 0xffffffff },
		{ 1ULL << 32, 1 },
		{ (1ULL << 32) + ORIGIN_DATA, 16 },
		{ 1ULL << 63, 16 },
		{ ~0ULL, 1 },
		{ ~0ULL, 2 },
		{ ~0ULL - 15, 16 },
		{ ~0ULL - 0xfffffffeULL, 0xffffffff },
	};
	const u16 flags[] = { 0, IND };
	struct origin o;

	origin_init(&o, 8);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int f = 0; f < 2; f++) {
			origin_desc(&o.desc[0], cases[i].addr, cases[i].len,
				    flags[f], 0);
			o.avail->idx = 0;
			origin_offer(&o, 0);
			pop_breaks(&o, VPRING_F_INDIRECT, VPRING_E_DESC_ADDR);
		}
	}
	origin_free(&o);
}

static void wrong_direction(void)
{
	struct origin o;

	origin_init(&o, 8);
	origin_desc(&o.desc[0], ORIGIN_DATA, 1, NEXT, 1);
	origin_desc(&o.desc[1], ORIGIN_DATA, 1, WRITE, 0);
	origin_offer(&o, 0);
	pop_breaks(&o, 0, VPRING_E_DIRECTION);

	origin_desc(&o.desc[0], ORIGIN_DATA, 1, NEXT | WRITE, 1);
	origin_desc(&o.desc[1], ORIGIN_DATA, 1, 0, 0);
	o.avail->idx = 1;
	pop_breaks(&o, VPRING_F_WRITABLE, VPRING_E_DIRECTION);
	origin_free(&o);
}

static void indirect_abuses(void)
{
	const struct {
		u64 addr;
		u32 len;
		u16 flags;
		u32 ring_flags;
	} cases[] = {
		{ ORIGIN_TABLE, 16, IND, 0 },		/* not negotiated */
		{ ORIGIN_TABLE, 16, IND | NEXT, VPRING_F_INDIRECT },
		{ ORIGIN_TABLE, 15, IND, VPRING_F_INDIRECT },
		{ ORIGIN_TABLE, 17, IND, VPRING_F_INDIRECT },
		{ ORIGIN_TABLE, 1025 * 16, IND, VPRING_F_INDIRECT },
		{ ORIGIN_TABLE + 4, 16, IND, VPRING_F_INDIRECT },
	};
	struct vring_desc *t;
	struct origin o;

	origin_init(&o, 8);
	t = origin_table(&o, ORIGIN_TABLE);
	origin_desc(&t[0], ORIGIN_DATA, 1, 0, 0);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		origin_desc(&o.desc[0], cases[i].addr, cases[i].len,
			    cases[i].flags, 1);
		o.avail->idx = 0;
		origin_offer(&o, 0);
		pop_breaks(&o, cases[i].ring_flags, VPRING_E_INDIRECT);
	}

	/* a table in a table, and in itself */
	origin_desc(&o.desc[0], ORIGIN_TABLE, 16, IND, 0);
	origin_desc(&t[0], ORIGIN_TABLE, 16, IND, 0);
	o.avail->idx = 1;
	pop_breaks(&o, VPRING_F_INDIRECT, VPRING_E_INDIRECT);
	origin_free(&o);
}

/* Buffers may overlap the ring: that only hurts its owner */
static void buffers_over_the_ring(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	origin_desc(&o.desc[0], 0, ORIGIN_SIZE, WRITE, 0);
	for (int i = 0; i < 8; i++)
		origin_offer(&o, 0);
	CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_WRITABLE));
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
	memset(segs[0].addr, 0xff, segs[0].len);
	vpring_fill(&r, c.head, 1);
	vpring_publish(&r);
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_BROKEN);
	origin_free(&o);
}

const struct test hostile_tests[] = {
	TEST(bad_sizes),
	TEST(bad_places),
	TEST(areas_to_the_last_byte),
	TEST(avail_index_jumps),
	TEST(avail_index_goes_back),
	TEST(head_out_of_range),
	TEST(next_out_of_range),
	TEST(loops),
	TEST(chain_too_long),
	TEST(empty_descriptors),
	TEST(outside_the_window),
	TEST(wrong_direction),
	TEST(indirect_abuses),
	TEST(buffers_over_the_ring),
	TESTS_END
};
