// SPDX-License-Identifier: GPL-2.0-or-later
/* What a packed ring does with a driver that keeps the rules */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "packed_origin.h"

static struct vpring_seg segs[VPRING_MAX_SEGS];

static enum vpring_result pop(struct vpring *r, struct vpring_chain *c)
{
	return vpring_pop(r, segs, VPRING_MAX_SEGS, c);
}

static void one_descriptor_round_and_round(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;
	u32 len;
	u16 id;

	/* any size, not only powers of two */
	packed_init(&o, 5, P_WRITE);
	CHECK(!packed_setup(&o, &r, 0));
	CHECK(o.device->flags == VRING_PACKED_EVENT_FLAG_DISABLE);
	for (u32 i = 0; i < 23; i++) {
		CHECK(pop(&r, &c) == VPRING_EMPTY);
		CHECK(packed_add(&o, 7, 1, 100 + i));
		CHECK(vpring_pending(&r) == 1);
		CHECK(pop(&r, &c) == VPRING_OK);
		CHECK(c.nsegs == 1 && c.len == 100 + i);
		CHECK(segs[0].addr == o.mem + PACKED_DATA + 64 * (i % 5));
		vpring_fill(&r, c.head, 42 + i);
		/* not before it is shown */
		CHECK(!packed_get(&o, &id, &len));
		CHECK(vpring_publish(&r));
		CHECK(packed_get(&o, &id, &len) && id == 7 && len == 42 + i);
		CHECK(!packed_get(&o, &id, &len));
	}
	packed_free(&o);
}

static void chain_across_the_end(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;
	u32 len;
	u16 id;

	packed_init(&o, 8, 0);
	packed_start_at(&o, 6, true);
	CHECK(!packed_setup(&o, &r, VPRING_F_INDIRECT));
	CHECK(packed_add(&o, 3, 4, 10));
	CHECK(packed_add_indirect(&o, 4, 3, 20));
	CHECK(pop(&r, &c) == VPRING_OK);
	CHECK(c.nsegs == 4 && c.len == 40);
	CHECK(segs[2].addr == o.mem + PACKED_DATA);
	vpring_fill(&r, c.head, 0);
	CHECK(pop(&r, &c) == VPRING_OK);
	CHECK(c.nsegs == 3 && c.len == 60);
	CHECK(segs[2].addr == o.mem + PACKED_DATA + 64 * 2 + 2);
	vpring_fill(&r, c.head, 0);
	CHECK(pop(&r, &c) == VPRING_EMPTY);
	CHECK(vpring_publish(&r) && !vpring_publish(&r));
	CHECK(packed_get(&o, &id, &len) && id == 3 && len == 0);
	CHECK(packed_get(&o, &id, &len) && id == 4);
	CHECK(!packed_get(&o, &id, &len));
	/* all of its slots tell where the ring stands */
	CHECK((o.slot[6].flags & o.slot[7].flags & P_USED));
	CHECK(!((o.slot[0].flags | o.slot[1].flags | o.slot[2].flags) &
		(P_USED | P_AVAIL)));
	packed_free(&o);
}

static void no_room_and_rollback(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring_mark mark;
	struct vpring r;
	u32 len;
	u16 id;

	packed_init(&o, 4, P_WRITE);
	CHECK(!packed_setup(&o, &r, 0));
	CHECK(packed_add(&o, 0, 2, 10) && packed_add(&o, 1, 1, 10));
	memset(segs, 0xee, sizeof(segs));
	CHECK(vpring_pop(&r, segs, 1, &c) == VPRING_NO_ROOM);
	CHECK(segs[1].len == 0xeeeeeeee);

	vpring_save(&r, &mark);
	for (int i = 0; i < 2; i++) {
		CHECK(pop(&r, &c) == VPRING_OK);
		vpring_fill(&r, c.head, 99);
	}
	CHECK(pop(&r, &c) == VPRING_EMPTY);
	vpring_rollback(&r, &mark);
	CHECK(!vpring_publish(&r));
	CHECK(vpring_pending(&r) == 3);
	/* more than what has been seen: that is what a kick is wanted for */
	CHECK(!vpring_arm(&r));
	CHECK(packed_add(&o, 2, 1, 10));
	CHECK(vpring_arm(&r));

	for (int i = 0; i < 3; i++) {
		CHECK(pop(&r, &c) == VPRING_OK);
		vpring_fill(&r, c.head, i + 1);
	}
	CHECK(vpring_publish(&r));
	for (u32 i = 0; i < 3; i++)
		CHECK(packed_get(&o, &id, &len) && id == i && len == i + 1);
	packed_free(&o);
}

static void all_of_the_ring_is_pending_when_it_was_not_enough(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring_mark mark;
	struct vpring r;

	packed_init(&o, 3, P_WRITE);
	CHECK(!packed_setup(&o, &r, 0));
	for (u16 i = 0; i < 3; i++)
		CHECK(packed_add(&o, i, 1, 10));
	vpring_save(&r, &mark);
	while (pop(&r, &c) == VPRING_OK)
		vpring_fill(&r, c.head, 10);
	vpring_rollback(&r, &mark);
	CHECK(vpring_pending(&r) == r.size);
	packed_free(&o);
}

/* A peer that looks meanwhile must see all buffers of a frame or none */
static void frame_of_several_buffers_comes_at_once(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;

	packed_init(&o, 8, P_WRITE);
	CHECK(!packed_setup(&o, &r, 0));
	for (u16 i = 0; i < 4; i++)
		CHECK(packed_add(&o, i, 1, 10));
	for (u16 i = 0; i < 4; i++) {
		CHECK(pop(&r, &c) == VPRING_OK);
		vpring_fill(&r, c.head, 10);
		if (i == 2)
			vpring_join(&r);
	}
	CHECK(!r.done[0].joined && !r.done[1].joined && r.done[2].joined &&
	      !r.done[3].joined);
	CHECK(vpring_publish(&r));
	/* the marks must not last into the next round */
	for (u32 round = 0; round < 4; round++) {
		u32 len;
		u16 id;

		while (packed_get(&o, &id, &len))
			CHECK(len == 10 && packed_add(&o, id, 1, 10));
		while (pop(&r, &c) == VPRING_OK) {
			vpring_fill(&r, c.head, 10);
			CHECK(!r.done[r.filled].joined);
		}
		vpring_publish(&r);
	}
	packed_free(&o);
}

static void interrupts_are_suppressed(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;

	packed_init(&o, 4, 0);
	packed_start_at(&o, 3, true);
	CHECK(!packed_setup(&o, &r, VPRING_F_EVENT_IDX));
	for (u16 i = 0; i < 4; i++)
		CHECK(packed_add(&o, i, 1, 10));

	o.driver->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	CHECK(pop(&r, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 0);
	CHECK(!vpring_publish(&r));

	o.driver->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	CHECK(pop(&r, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 0);
	CHECK(vpring_publish(&r));

	/* the next is slot 1 with wrap 0: it waits for slot 2 of that round */
	o.driver->flags = VRING_PACKED_EVENT_FLAG_DESC;
	o.driver->off_wrap = 2;
	CHECK(pop(&r, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 0);
	CHECK(!vpring_publish(&r));
	CHECK(pop(&r, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 0);
	CHECK(vpring_publish(&r));
	packed_free(&o);
}

static void event_of_the_round_before(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;

	/* slots 2, 3 and then 0 are returned at once; slot 3 was asked for */
	packed_init(&o, 4, 0);
	packed_start_at(&o, 2, true);
	CHECK(!packed_setup(&o, &r, VPRING_F_EVENT_IDX));
	for (u16 i = 0; i < 3; i++) {
		CHECK(packed_add(&o, i, 1, 10));
		CHECK(pop(&r, &c) == VPRING_OK);
		vpring_fill(&r, c.head, 0);
	}
	o.driver->flags = VRING_PACKED_EVENT_FLAG_DESC;
	o.driver->off_wrap = 3 | 0x8000;
	CHECK(vpring_publish(&r));

	/* slot 1 with wrap 0 is beyond */
	packed_start_at(&o, 2, true);
	o.free = 4;
	memset(o.slots_of, 0, sizeof(o.slots_of));
	CHECK(!packed_setup(&o, &r, VPRING_F_EVENT_IDX));
	for (u16 i = 0; i < 3; i++) {
		CHECK(packed_add(&o, i, 1, 10));
		CHECK(pop(&r, &c) == VPRING_OK);
		vpring_fill(&r, c.head, 0);
	}
	o.driver->off_wrap = 1;
	CHECK(!vpring_publish(&r));
	packed_free(&o);
}

static void kicks_are_asked_for(void)
{
	struct packed_origin o;
	struct vpring r;

	packed_init(&o, 4, 0);
	packed_start_at(&o, 1, false);
	CHECK(!packed_setup(&o, &r, VPRING_F_EVENT_IDX));
	CHECK(!vpring_arm(&r));
	CHECK(o.device->flags == VRING_PACKED_EVENT_FLAG_DESC);
	CHECK(o.device->off_wrap == 1);
	vpring_disarm(&r);

	packed_start_at(&o, 1, true);
	CHECK(!packed_setup(&o, &r, VPRING_F_EVENT_IDX));
	CHECK(!vpring_arm(&r));
	CHECK(o.device->off_wrap == (1 | 0x8000));
	CHECK(packed_add(&o, 0, 1, 10));
	CHECK(vpring_arm(&r));

	CHECK(!packed_setup(&o, &r, 0));
	CHECK(o.device->flags == VRING_PACKED_EVENT_FLAG_DISABLE);
	CHECK(vpring_arm(&r));
	CHECK(o.device->flags == VRING_PACKED_EVENT_FLAG_ENABLE);
	vpring_disarm(&r);
	CHECK(o.device->flags == VRING_PACKED_EVENT_FLAG_DISABLE);
	packed_free(&o);
}

static void kicks_only_for_many(void)
{
	struct packed_origin o;
	struct vpring r;

	packed_init(&o, 8, 0);
	packed_start_at(&o, 6, true);
	CHECK(!packed_setup(&o, &r, VPRING_F_EVENT_IDX));
	CHECK(!vpring_arm_ahead(&r, 3));
	/* slot 1 of the next round */
	CHECK(o.device->off_wrap == 1);
	for (u16 i = 0; i < 3; i++)
		CHECK(packed_add(&o, i, 1, 10));
	CHECK(!vpring_arm_ahead(&r, 3));
	CHECK(packed_add(&o, 3, 1, 10));
	CHECK(vpring_arm_ahead(&r, 3));

	CHECK(!packed_setup(&o, &r, 0));
	CHECK(vpring_arm_ahead(&r, 7));
	packed_free(&o);
}

static void shown_now_and_told_later(void)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;
	u32 len;
	u16 id;

	packed_init(&o, 8, 0);
	CHECK(!packed_setup(&o, &r, VPRING_F_EVENT_IDX));
	o.driver->flags = VRING_PACKED_EVENT_FLAG_DESC;
	o.driver->off_wrap = 1 | 0x8000;
	for (u16 i = 0; i < 4; i++) {
		CHECK(packed_add(&o, i, 1, 10));
		CHECK(pop(&r, &c) == VPRING_OK);
		vpring_fill(&r, c.head, 0);
		vpring_show(&r);
		CHECK(packed_get(&o, &id, &len) && id == i);
	}
	/* the wish was passed on the way */
	CHECK(vpring_publish(&r));
	CHECK(!vpring_publish(&r));
	packed_free(&o);
}

static void starts_where_the_ring_stands(void)
{
	for (u32 size = 1; size <= 9; size++) {
		for (u32 pos = 0; pos < 2 * size; pos++) {
			struct packed_origin o;
			struct vpring_chain c;
			struct vpring r;
			u32 len;
			u16 id;

			packed_init(&o, size, 0);
			packed_start_at(&o, pos % size, pos < size);
			/* available ones do not move it */
			for (u32 n = 0; n <= size; n++) {
				CHECK(!packed_setup(&o, &r, 0));
				CHECK(r.used_pos == pos && r.avail_pos == pos);
				CHECK(packed_add(&o, n, 1, 10 + n) ==
				      (n < size));
			}
			for (u32 n = 0; n < size; n++) {
				CHECK(pop(&r, &c) == VPRING_OK);
				CHECK(c.len == 10 + n);
				vpring_fill(&r, c.head, 0);
				vpring_publish(&r);
				CHECK(packed_get(&o, &id, &len) && id == n);
				CHECK(!packed_setup(&o, &r, 0));
				CHECK(r.used_pos == (pos + n + 1) % (2 * size));
			}
			packed_free(&o);
		}
	}
}

/*
 * A predecessor stopped while it returned a frame of @group buffers, the last
 * of which it returns first, at the store number @stores.
 */
static void died_in_between(u32 size, u32 pos, u32 group, u32 stores)
{
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;
	u32 len;
	u16 id;

	packed_init(&o, size, P_WRITE);
	packed_start_at(&o, pos % size, pos < size);
	for (u32 n = 0; n < size; n++)
		CHECK(packed_add(&o, n, 1, 10));
	for (u32 n = 0; n < stores; n++) {
		u32 i = (pos + group - 1 - n) % (2 * size);

		o.slot[i % size].flags = P_WRITE |
			(i < size ? P_AVAIL | P_USED : 0);
	}
	CHECK(!packed_setup(&o, &r, 0));
	if (stores)
		pos = (pos + group) % (2 * size);
	CHECK(r.used_pos == pos);
	for (u32 n = 0; stores && n < group; n++)
		CHECK(packed_get(&o, &id, &len) && id == n && len == 10);
	CHECK(!packed_get(&o, &id, &len));
	/* and all the rest is there */
	for (u32 n = 0; n < size - (stores ? group : 0); n++)
		CHECK(pop(&r, &c) == VPRING_OK);
	CHECK(pop(&r, &c) == VPRING_EMPTY);
	packed_free(&o);
}

static void goes_on_behind_a_predecessor(void)
{
	for (u32 size = 3; size <= 7; size++)
		for (u32 pos = 0; pos < 2 * size; pos++)
			for (u32 group = 2; group < size; group++)
				for (u32 n = 0; n <= group; n++)
					died_in_between(size, pos, group, n);
}

static void largest_ring(void)
{
	static struct vpring_done done[VPRING_MAX_SIZE];
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;

	packed_init(&o, 8, 0);
	free(o.mem);
	o.win.size = (VPRING_MAX_SIZE + 2) * 16;
	o.mem = calloc(1, o.win.size);
	o.win.base = o.mem;
	o.slot = (void *)o.mem;
	o.size = VPRING_MAX_SIZE;
	o.area.size = VPRING_MAX_SIZE;
	o.area.avail = VPRING_MAX_SIZE * 16;
	o.area.used = VPRING_MAX_SIZE * 16 + 16;
	for (u32 i = 0; i + 1 < o.size; i++)
		o.slot[i].flags = 0;
	o.slot[o.size - 1].flags = P_AVAIL | P_USED;
	/* all but the last were returned in the round with wrap 0 */
	CHECK(!vpring_packed_init(&r, &o.win, &o.area, 0, done, o.size));
	CHECK(r.used_pos == 2 * o.size - 1);
	packed_put(&o, o.size - 1, 0, 1, 9, packed_avail(false));
	packed_put(&o, 0, 0, 1, 9, packed_avail(true));
	CHECK(pop(&r, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 0);
	CHECK(pop(&r, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 0);
	CHECK(pop(&r, &c) == VPRING_EMPTY);
	vpring_publish(&r);
	CHECK(r.used_shown == 1);
	CHECK(o.slot[o.size - 1].flags == 0);
	CHECK(o.slot[0].flags == (P_AVAIL | P_USED));
	packed_free(&o);
}

const struct test packed_tests[] = {
	TEST(one_descriptor_round_and_round),
	TEST(chain_across_the_end),
	TEST(no_room_and_rollback),
	TEST(all_of_the_ring_is_pending_when_it_was_not_enough),
	TEST(frame_of_several_buffers_comes_at_once),
	TEST(interrupts_are_suppressed),
	TEST(event_of_the_round_before),
	TEST(kicks_are_asked_for),
	TEST(kicks_only_for_many),
	TEST(shown_now_and_told_later),
	TEST(starts_where_the_ring_stands),
	TEST(goes_on_behind_a_predecessor),
	TEST(largest_ring),
	TESTS_END
};
