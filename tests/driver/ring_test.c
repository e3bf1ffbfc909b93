// SPDX-License-Identifier: GPL-2.0-or-later
/* What a ring does with a driver that keeps the rules */
#include <string.h>

#include "check.h"
#include "origin.h"

#define NEXT	VRING_DESC_F_NEXT
#define WRITE	VRING_DESC_F_WRITE
#define IND	VRING_DESC_F_INDIRECT

static struct vpring_seg segs[VPRING_MAX_SEGS];

static void one_descriptor(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_EMPTY);

	origin_desc(&o.desc[5], ORIGIN_DATA + 3, 100, 0, 7);
	origin_offer(&o, 5);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK);
	CHECK(c.head == 5 && c.nsegs == 1 && c.len == 100);
	CHECK(segs[0].addr == o.mem + ORIGIN_DATA + 3 && segs[0].len == 100);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_EMPTY);

	vpring_fill(&r, c.head, 42);
	CHECK(o.used->idx == 0);
	CHECK(vpring_publish(&r));
	CHECK(o.used->idx == 1);
	CHECK(o.used->ring[0].id == 5 && o.used->ring[0].len == 42);
	origin_free(&o);
}

static void chain_and_indirect_table(void)
{
	struct vring_desc *t;
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area,
			   VPRING_F_INDIRECT | VPRING_F_WRITABLE));
	/* direct ones first, then a table: the specification allows it */
	origin_desc(&o.desc[0], ORIGIN_DATA, 10, NEXT | WRITE, 6);
	origin_desc(&o.desc[6], ORIGIN_DATA + 10, 20, NEXT | WRITE, 2);
	/* WRITE of the table's own descriptor is to be ignored */
	origin_desc(&o.desc[2], ORIGIN_TABLE, 3 * sizeof(*t), IND | WRITE, 0);
	t = origin_table(&o, ORIGIN_TABLE);
	origin_desc(&t[0], ORIGIN_DATA + 100, 1, NEXT | WRITE, 2);
	origin_desc(&t[2], ORIGIN_DATA + 200, 2, NEXT | WRITE, 1);
	origin_desc(&t[1], ORIGIN_SIZE - 3, 3, WRITE, 99);
	origin_offer(&o, 0);

	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK);
	CHECK(c.head == 0 && c.nsegs == 5 && c.len == 36);
	CHECK(segs[1].addr == o.mem + ORIGIN_DATA + 10 && segs[1].len == 20);
	CHECK(segs[3].addr == o.mem + ORIGIN_DATA + 200 && segs[3].len == 2);
	CHECK(segs[4].addr == o.mem + ORIGIN_SIZE - 3 && segs[4].len == 3);
	origin_free(&o);
}

static void longest_chain_of_the_ring(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 1024);
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	for (int i = 0; i < 1024; i++)
		origin_desc(&o.desc[i], ORIGIN_DATA + i, 1,
			    i < 1023 ? NEXT : 0, i + 1);
	origin_offer(&o, 0);
	CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK);
	CHECK(c.nsegs == 1024 && c.len == 1024);
	origin_free(&o);
}

static void no_room_keeps_the_chain(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	origin_desc(&o.desc[0], ORIGIN_DATA, 10, NEXT, 1);
	origin_desc(&o.desc[1], ORIGIN_DATA, 10, NEXT, 2);
	origin_desc(&o.desc[2], ORIGIN_DATA, 10, 0, 0);
	origin_offer(&o, 0);

	memset(segs, 0xee, sizeof(segs));
	CHECK(vpring_pop(&r, segs, 2, &c) == VPRING_NO_ROOM);
	CHECK(segs[2].len == 0xeeeeeeee);
	CHECK(vpring_pop(&r, segs, 0, &c) == VPRING_NO_ROOM);
	CHECK(vpring_pop(&r, segs, 3, &c) == VPRING_OK);
	CHECK(c.nsegs == 3);
	origin_free(&o);
}

static void starts_where_the_ring_stands(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 4);
	o.used->idx = 65534;
	o.avail->idx = 65534;
	for (int i = 0; i < 4; i++) {
		origin_desc(&o.desc[i], ORIGIN_DATA, 1 + i, 0, 0);
		origin_offer(&o, i);
	}
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	for (int i = 0; i < 4; i++) {
		CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
		CHECK(c.head == i && c.len == (u64)i + 1);
		vpring_fill(&r, c.head, 0);
	}
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_EMPTY);
	vpring_publish(&r);
	CHECK(o.used->idx == 2);
	CHECK(o.used->ring[65534 % 4].id == 0 && o.used->ring[1].id == 3);
	origin_free(&o);
}

static void counters_wrap(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 256);
	CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_EVENT_IDX));
	for (u32 n = 0; n < 200000; n++) {
		u16 head = (n * 7) % 256;

		origin_desc(&o.desc[head], ORIGIN_DATA + head, 1 + head, 0, 0);
		origin_offer(&o, head);
		CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
		CHECK(c.head == head && c.len == head + 1u);
		vpring_fill(&r, c.head, n);
		vpring_publish(&r);
		CHECK(o.used->idx == (u16)(n + 1));
		CHECK(o.used->ring[n % 256].id == head &&
		      o.used->ring[n % 256].len == n);
	}
	origin_free(&o);
}

static void rollback_gives_everything_back(void)
{
	struct vpring_mark mark;
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 4);
	CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_WRITABLE));
	for (int i = 0; i < 3; i++) {
		origin_desc(&o.desc[i], ORIGIN_DATA, 8, WRITE, 0);
		origin_offer(&o, i);
	}
	/* a first frame stays filled but unpublished, as in a burst */
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
	vpring_fill(&r, c.head, 8);

	vpring_save(&r, &mark);
	for (int i = 1; i < 3; i++) {
		CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
		vpring_fill(&r, c.head, 8);
	}
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_EMPTY);
	vpring_rollback(&r, &mark);
	CHECK(vpring_pending(&r) == 2);
	CHECK(o.used->idx == 0);

	vpring_publish(&r);
	CHECK(o.used->idx == 1);
	/* new buffers are seen after the old ones */
	origin_offer(&o, 0);
	for (int i = 1; i < 4; i++) {
		CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
		CHECK(c.head == i % 3);
	}
	origin_free(&o);
}

/* Publish @n entries; did it ask for an interrupt? */
static bool publish(struct origin *o, struct vpring *r, int n)
{
	struct vpring_chain c;

	while (n--) {
		origin_desc(&o->desc[0], ORIGIN_DATA, 1, 0, 0);
		origin_offer(o, 0);
		CHECK(vpring_pop(r, segs, 8, &c) == VPRING_OK);
		vpring_fill(r, c.head, 0);
	}
	return vpring_publish(r);
}

static void interrupt_by_flag(void)
{
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	CHECK(!publish(&o, &r, 0));
	CHECK(publish(&o, &r, 1));
	o.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	CHECK(!publish(&o, &r, 2));
	o.avail->flags = 0;
	CHECK(publish(&o, &r, 2));
	origin_free(&o);
}

static void interrupt_by_event_index(void)
{
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_EVENT_IDX));
	/* the flag means nothing now */
	o.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	*origin_used_event(&o) = 0;
	CHECK(publish(&o, &r, 1));
	CHECK(!publish(&o, &r, 3));
	*origin_used_event(&o) = 6;
	CHECK(!publish(&o, &r, 2));	/* 4, 5 */
	CHECK(publish(&o, &r, 2));	/* 6, 7 */
	CHECK(!publish(&o, &r, 1));
	origin_free(&o);
}

static void kicks_by_flag(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	CHECK(o.used->flags == VRING_USED_F_NO_NOTIFY);
	CHECK(!vpring_arm(&r));
	CHECK(o.used->flags == 0);
	origin_desc(&o.desc[0], ORIGIN_DATA, 1, 0, 0);
	origin_offer(&o, 0);
	CHECK(vpring_arm(&r));
	vpring_disarm(&r);
	CHECK(o.used->flags == VRING_USED_F_NO_NOTIFY);
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
	CHECK(!vpring_arm(&r));
	CHECK(o.used->flags == 0);
	origin_free(&o);
}

static void kicks_by_event_index(void)
{
	struct vpring_mark mark;
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_EVENT_IDX));
	for (int i = 0; i < 3; i++) {
		origin_desc(&o.desc[i], ORIGIN_DATA, 1, 0, 0);
		origin_offer(&o, i);
	}
	*origin_avail_event(&o) = 0x5555;
	vpring_save(&r, &mark);
	for (int i = 0; i < 3; i++)
		CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_EMPTY);
	/* what is there was not enough: wait for more than that */
	vpring_rollback(&r, &mark);
	CHECK(!vpring_arm(&r));
	CHECK(*origin_avail_event(&o) == 3);
	vpring_disarm(&r);
	CHECK(*origin_avail_event(&o) == 3);
	CHECK(o.used->flags == 0);
	origin_offer(&o, 0);
	CHECK(vpring_arm(&r));
	origin_free(&o);
}

static void kicks_only_for_many(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	o.used->idx = 65534;
	o.avail->idx = 65534;
	CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_EVENT_IDX));
	for (int i = 0; i < 8; i++)
		origin_desc(&o.desc[i], ORIGIN_DATA, 1, 0, 0);
	CHECK(!vpring_arm_ahead(&r, 3));
	CHECK(*origin_avail_event(&o) == 1);
	for (int i = 0; i < 3; i++)
		origin_offer(&o, i);
	CHECK(!vpring_arm_ahead(&r, 3));
	origin_offer(&o, 3);
	CHECK(vpring_arm_ahead(&r, 3));
	/* from what has been seen, not from what has been taken */
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
	CHECK(!vpring_arm_ahead(&r, 3));
	CHECK(*origin_avail_event(&o) == 5);
	origin_free(&o);

	/* without event indexes there is no such wish */
	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area, 0));
	CHECK(!vpring_arm_ahead(&r, 3));
	CHECK(o.used->flags == 0);
	origin_offer(&o, 0);
	CHECK(vpring_arm_ahead(&r, 3));
	origin_free(&o);
}

static void shown_now_and_told_later(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_EVENT_IDX));
	*origin_used_event(&o) = 1;
	for (int i = 0; i < 4; i++) {
		origin_desc(&o.desc[i], ORIGIN_DATA, 1, 0, 0);
		origin_offer(&o, i);
		CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
		vpring_fill(&r, c.head, 0);
		vpring_show(&r);
		CHECK(o.used->idx == i + 1);
		CHECK(vpring_untold(&r) == (u32)i + 1);
	}
	/* the wish was passed on the way */
	CHECK(vpring_publish(&r));
	CHECK(!vpring_untold(&r));
	CHECK(!vpring_publish(&r));
	*origin_used_event(&o) = 5;
	CHECK(!publish(&o, &r, 1));
	CHECK(publish(&o, &r, 1));
	origin_free(&o);
}

static void knows_its_room(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_WRITABLE));
	CHECK(!vpring_room(&r));
	for (int i = 0; i < 3; i++) {
		origin_desc(&o.desc[i], ORIGIN_DATA, 1, WRITE, 0);
		origin_offer(&o, i);
		/* what came since the last look counts */
		CHECK(vpring_room(&r) == (u32)i + 1);
	}
	CHECK(vpring_pop(&r, segs, 8, &c) == VPRING_OK);
	CHECK(vpring_room(&r) == 2);
	/* more than the ring holds: it is broken, and has none */
	o.avail->idx += 8;
	CHECK(!vpring_room(&r));
	CHECK(r.error == VPRING_E_AVAIL_IDX);
	CHECK(!vpring_room(&r));
	origin_free(&o);
}

/* virtio 1.2, 2.7.9: one entry, in the place of the first, names the last */
static void one_entry_for_a_batch_in_order(void)
{
	struct vpring_chain c;
	struct vpring r;
	struct origin o;

	origin_init(&o, 8);
	memset(o.used->ring, 0xff, 8 * sizeof(*o.used->ring));
	CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_IN_ORDER));
	for (u32 batch = 0, first = 0; batch < 5; batch++) {
		u32 n = 1 + batch;

		for (u32 i = 0; i < n; i++) {
			origin_desc(&o.desc[(first + i) % 8], ORIGIN_DATA, 1,
				    0, 0);
			origin_offer(&o, (first + i) % 8);
		}
		for (u32 i = 0; i < n; i++) {
			CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) ==
			      VPRING_OK);
			vpring_fill(&r, c.head, 0);
		}
		memset(o.used->ring, 0xff, 8 * sizeof(*o.used->ring));
		CHECK(vpring_publish(&r));
		for (u32 i = 0; i < n; i++)
			CHECK(o.used->ring[(first + i) % 8].id ==
			      (i ? 0xffffffff : (first + n - 1) % 8));
		first += n;
		CHECK(o.used->idx == first);
		CHECK(!vpring_publish(&r));
	}

	/* buffers that we write have a length each, so an entry each */
	CHECK(!vpring_init(&r, &o.win, &o.area,
			   VPRING_F_IN_ORDER | VPRING_F_WRITABLE));
	for (u32 i = 0; i < 2; i++) {
		origin_desc(&o.desc[i], ORIGIN_DATA, 100, WRITE, 0);
		origin_offer(&o, i);
	}
	for (u32 i = 0; i < 2; i++) {
		CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK);
		vpring_fill(&r, c.head, 10 + i);
	}
	CHECK(vpring_publish(&r));
	for (u32 i = 0; i < 2; i++)
		CHECK(o.used->ring[(15 + i) % 8].id == i &&
		      o.used->ring[(15 + i) % 8].len == 10 + i);
	origin_free(&o);
}

const struct test ring_tests[] = {
	TEST(one_descriptor),
	TEST(chain_and_indirect_table),
	TEST(longest_chain_of_the_ring),
	TEST(no_room_keeps_the_chain),
	TEST(starts_where_the_ring_stands),
	TEST(counters_wrap),
	TEST(rollback_gives_everything_back),
	TEST(interrupt_by_flag),
	TEST(interrupt_by_event_index),
	TEST(kicks_by_flag),
	TEST(kicks_by_event_index),
	TEST(kicks_only_for_many),
	TEST(shown_now_and_told_later),
	TEST(knows_its_room),
	TEST(one_entry_for_a_batch_in_order),
	TESTS_END
};
