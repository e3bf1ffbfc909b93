// SPDX-License-Identifier: GPL-2.0-or-later
/* One test for each way in which an origin can break the rules of packed rings */
#include <string.h>

#include "check.h"
#include "packed_origin.h"

static struct vpring_seg segs[VPRING_MAX_SEGS];

static void setup_fails(struct packed_origin *o, enum vpring_error want)
{
	struct vpring r;

	CHECK(packed_setup(o, &r, 0) < 0);
	CHECK(r.error == want);
}

static void bad_sizes_and_places(void)
{
	struct packed_origin o;
	struct vpring r;
	u64 *fields[] = { &o.area.desc, &o.area.avail, &o.area.used };
	const u64 room[] = { 8 * 16, 4, 4 }, align[] = { 16, 4, 4 };

	packed_init(&o, 8, 0);
	o.area.size = 0;
	setup_fails(&o, VPRING_E_SIZE);
	o.area.size = 32769;
	setup_fails(&o, VPRING_E_SIZE);
	o.area.size = 0xffffffff;
	setup_fails(&o, VPRING_E_SIZE);
	o.area.size = PACKED_MOST + 1;
	setup_fails(&o, VPRING_E_MEMORY);
	o.area.size = 8;
	CHECK(vpring_packed_init(&r, &o.win, &o.area, 0, NULL, 0) < 0);
	CHECK(r.error == VPRING_E_MEMORY);

	for (int f = 0; f < 3; f++) {
		u64 good = *fields[f];

		/* the last byte decides */
		*fields[f] = PACKED_SIZE - room[f];
		CHECK(!packed_setup(&o, &r, 0));
		*fields[f] += align[f];
		setup_fails(&o, VPRING_E_AREA);
		*fields[f] = ~0ULL & ~15ULL;
		setup_fails(&o, VPRING_E_AREA);
		*fields[f] = 1ULL << 63;
		setup_fails(&o, VPRING_E_AREA);
		*fields[f] = good + align[f] / 2;
		setup_fails(&o, VPRING_E_ALIGN);
		*fields[f] = good;
	}
	packed_free(&o);
}

/*
 * The ring must break for this reason, without a change to the origin's memory,
 * and must stay broken when the origin repairs it.
 */
static void pop_breaks(struct packed_origin *o, u32 flags,
		       enum vpring_error want)
{
	static u8 before[PACKED_SIZE];
	struct vpring_chain c;
	struct vpring r;

	CHECK(!packed_setup(o, &r, flags));
	memcpy(before, o->mem, PACKED_SIZE);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_BROKEN);
	CHECK(r.error == want);
	CHECK(!vpring_publish(&r) && !vpring_arm(&r));
	vpring_disarm(&r);
	CHECK(!memcmp(before, o->mem, PACKED_SIZE));
	packed_put(o, 0, PACKED_DATA, 1, 0, packed_avail(true) | o->direction);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_BROKEN);
}

static void bad_descriptors(void)
{
	const struct {
		u64 addr;
		u32 len;
		u16 flags;
		enum vpring_error want;
	} cases[] = {
		{ PACKED_DATA, 0, 0, VPRING_E_EMPTY_DESC },
		{ PACKED_SIZE - 9, 10, 0, VPRING_E_DESC_ADDR },
		{ ~0ULL, 1, 0, VPRING_E_DESC_ADDR },
		{ ~0ULL - 5, 10, 0, VPRING_E_DESC_ADDR },
		{ 0, 0xffffffff, 0, VPRING_E_DESC_ADDR },
		{ PACKED_DATA, 1, P_WRITE, VPRING_E_DIRECTION },
		{ PACKED_TABLE, 0, P_IND, VPRING_E_EMPTY_DESC },
		{ PACKED_TABLE, 15, P_IND, VPRING_E_INDIRECT },
		{ PACKED_TABLE, 17, P_IND, VPRING_E_INDIRECT },
		{ PACKED_TABLE + 1, 16, P_IND, VPRING_E_INDIRECT },
		{ PACKED_TABLE, 16, P_IND | P_NEXT, VPRING_E_INDIRECT },
		{ PACKED_TABLE, 16 * 1025, P_IND, VPRING_E_INDIRECT },
		{ PACKED_SIZE - 8, 16, P_IND, VPRING_E_DESC_ADDR },
		/* what the empty table says */
		{ PACKED_TABLE, 16, P_IND, VPRING_E_EMPTY_DESC },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct packed_origin o;

		packed_init(&o, 8, 0);
		packed_put(&o, 0, cases[i].addr, cases[i].len, 0,
			   packed_avail(true) | cases[i].flags);
		pop_breaks(&o, VPRING_F_INDIRECT, cases[i].want);
		packed_free(&o);
	}
}

static void bad_tables(void)
{
	const struct {
		u64 addr;
		u32 len;
		u16 flags;
		enum vpring_error want;
	} cases[] = {
		{ PACKED_DATA, 0, 0, VPRING_E_EMPTY_DESC },
		{ PACKED_SIZE, 1, 0, VPRING_E_DESC_ADDR },
		{ PACKED_DATA, 1, P_WRITE, VPRING_E_DIRECTION },
		{ PACKED_TABLE, 16, P_IND, VPRING_E_INDIRECT },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vring_packed_desc *t;
		struct packed_origin o;

		packed_init(&o, 8, 0);
		t = (void *)(o.mem + PACKED_TABLE);
		t[0].addr = PACKED_DATA;
		t[0].len = 1;
		t[1].addr = cases[i].addr;
		t[1].len = cases[i].len;
		t[1].flags = cases[i].flags;
		packed_put(&o, 0, PACKED_TABLE, 32, 0,
			   packed_avail(true) | P_IND);
		pop_breaks(&o, VPRING_F_INDIRECT, cases[i].want);
		/* not negotiated */
		o.slot[0].flags = packed_avail(true) | P_IND;
		o.slot[0].addr = PACKED_TABLE;
		o.slot[0].len = 32;
		pop_breaks(&o, 0, VPRING_E_INDIRECT);
		packed_free(&o);
	}
}

/* NEXT everywhere */
static void chain_without_end(void)
{
	struct packed_origin o;

	packed_init(&o, 8, 0);
	for (u32 i = 0; i < 8; i++)
		packed_put(&o, i, PACKED_DATA, 1, 0,
			   packed_avail(true) | P_NEXT);
	pop_breaks(&o, 0, VPRING_E_LOOP);
	packed_free(&o);

	packed_init(&o, 1, 0);
	packed_put(&o, 0, PACKED_DATA, 1, 0, packed_avail(true) | P_NEXT);
	pop_breaks(&o, 0, VPRING_E_LOOP);
	packed_free(&o);
}

static void table_inside_a_chain(void)
{
	struct packed_origin o;

	packed_init(&o, 8, 0);
	packed_put(&o, 0, PACKED_DATA, 1, 0, packed_avail(true) | P_NEXT);
	packed_put(&o, 1, PACKED_TABLE, 16, 0, packed_avail(true) | P_IND);
	pop_breaks(&o, VPRING_F_INDIRECT, VPRING_E_INDIRECT);
	packed_free(&o);
}

static void chain_into_slots_that_are_ours(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;

	packed_init(&o, 4, 0);
	CHECK(!packed_setup(&o, &r, 0));
	CHECK(packed_add(&o, 0, 1, 10) && packed_add(&o, 1, 1, 10));
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 0);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 0);
	/* slots 2 and 3, and on into 0 and 1, which it has not got back */
	packed_put(&o, 3, PACKED_DATA, 1, 0, packed_avail(true) | P_NEXT);
	packed_put(&o, 2, PACKED_DATA, 1, 0, packed_avail(true) | P_NEXT);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_BROKEN);
	CHECK(r.error == VPRING_E_LOOP);
	/* what was returned before is still shown */
	CHECK(vpring_publish(&r));
	CHECK(r.used_shown == 2);
	packed_free(&o);
}

/* The same slots made available once more, as of the next round */
static void wrap_flags_that_flip(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;

	packed_init(&o, 2, 0);
	CHECK(!packed_setup(&o, &r, 0));
	CHECK(packed_add(&o, 0, 1, 10) && packed_add(&o, 1, 1, 10));
	for (int i = 0; i < 2; i++) {
		CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK);
		vpring_fill(&r, c.head, 0);
	}
	packed_put(&o, 0, PACKED_DATA, 1, 0, packed_avail(false));
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_BROKEN);
	CHECK(r.error == VPRING_E_LOOP);
	packed_free(&o);

	/* seen, and taken back */
	packed_init(&o, 4, P_WRITE);
	CHECK(!packed_setup(&o, &r, 0));
	CHECK(packed_add(&o, 0, 1, 10));
	struct vpring_mark mark;

	vpring_save(&r, &mark);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 1);
	vpring_rollback(&r, &mark);
	o.slot[0].flags = 0;
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_BROKEN);
	CHECK(r.error == VPRING_E_AVAIL_IDX);
	packed_free(&o);
}

static void ring_of_any_bits_has_some_place(void)
{
	for (u32 bits = 0; bits < 1 << 12; bits++) {
		struct packed_origin o;
		struct vpring r;

		packed_init(&o, 6, 0);
		for (u32 i = 0; i < 6; i++)
			o.slot[i].flags = (bits >> (2 * i) & 1 ? P_USED : 0) |
					  (bits >> (2 * i) & 2 ? P_AVAIL : 0);
		CHECK(!packed_setup(&o, &r, 0));
		CHECK(r.used_pos < 12);
		packed_free(&o);
	}
}

/* The whole window reads as zeroes: the device has withdrawn it */
static void withdrawn_memory_is_an_empty_ring(void)
{
	for (u32 pos = 0; pos < 8; pos++) {
		struct packed_origin o;
		struct vpring_chain c;
		struct vpring r;

		packed_init(&o, 4, 0);
		packed_start_at(&o, pos % 4, pos < 4);
		CHECK(packed_add(&o, 0, 1, 10));
		CHECK(!packed_setup(&o, &r, 0));
		memset(o.mem, 0, PACKED_SIZE);
		CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) ==
		      VPRING_EMPTY);
		CHECK(!vpring_arm(&r));
		packed_free(&o);
	}
}

static void longest_chain(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;

	packed_init(&o, 1024, 0);
	CHECK(!packed_setup(&o, &r, 0));
	CHECK(packed_add(&o, 5, 1024, 1));
	CHECK(vpring_pop(&r, segs, 1, &c) == VPRING_NO_ROOM);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK);
	CHECK(c.nsegs == 1024 && c.len == 1024);
	packed_free(&o);
}

const struct test packed_hostile_tests[] = {
	TEST(bad_sizes_and_places),
	TEST(bad_descriptors),
	TEST(bad_tables),
	TEST(chain_without_end),
	TEST(table_inside_a_chain),
	TEST(chain_into_slots_that_are_ours),
	TEST(wrap_flags_that_flip),
	TEST(ring_of_any_bits_has_some_place),
	TEST(withdrawn_memory_is_an_empty_ring),
	TEST(longest_chain),
	TESTS_END
};
