// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random packed rings: a peer that keeps the rules must get back what it gave,
 * whole and once, even across reloads of our driver; against one that does not,
 * only the invariants hold.
 *
 * RING_FUZZ_ROUNDS and RING_FUZZ_SEED in the environment change how much is
 * done.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/compiler.h>

#include "check.h"
#include "packed_origin.h"

static struct vpring_seg segs[VPRING_MAX_SEGS];
static u64 rng_state;

static u32 rnd(u32 below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (rng_state >> 16) % below;
}

static u64 env(const char *name, u64 otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

/* Both sides keep the rules */
struct rally {
	struct packed_origin o;
	struct vpring r;
	u32 flags;
	u32 given[PACKED_MOST];		/* bytes, by id */
	u16 order[PACKED_MOST];		/* ids in flight, oldest first */
	u32 under_way;
	u32 returned[PACKED_MOST];	/* lengths of the next ones to come */
	u32 taken;			/* of those under way */
};

static void rally_give(struct rally *t)
{
	u32 n = 1 + rnd(4), len = 1 + rnd(60);
	u16 id = rnd(t->o.size);
	bool ok;

	if ((t->flags & VPRING_F_INDIRECT) && rnd(2))
		ok = packed_add_indirect(&t->o, id, n, len);
	else
		ok = packed_add(&t->o, id, n, len);
	if (ok) {
		t->given[id] = n * len;
		t->order[t->under_way++] = id;
	}
}

static void rally_take(struct rally *t)
{
	struct vpring_chain c;
	enum vpring_result res;

	res = vpring_pop(&t->r, segs, VPRING_MAX_SEGS, &c);
	CHECK(res == (t->taken < t->under_way ? VPRING_OK : VPRING_EMPTY));
	if (res != VPRING_OK)
		return;
	CHECK((u16)c.head == t->order[t->taken]);
	CHECK(c.len == t->given[t->order[t->taken]]);
	t->returned[t->taken] = rnd(3) ? rnd(1000) : 0;
	vpring_fill(&t->r, c.head, t->returned[t->taken]);
	if (!rnd(4))
		vpring_join(&t->r);
	t->taken++;
}

static void rally_get(struct rally *t)
{
	u32 len;
	u16 id;

	while (packed_get(&t->o, &id, &len)) {
		CHECK(t->taken && id == t->order[0]);
		CHECK(len == t->returned[0]);
		t->under_way--;
		t->taken--;
		memmove(t->order, t->order + 1, 2 * t->under_way);
		memmove(t->returned, t->returned + 1, 4 * t->taken);
		if (check_failures)
			return;
	}
}

static void what_was_given_comes_back(void)
{
	u64 rounds = env("RING_FUZZ_ROUNDS", 1000000) / 1000;
	static struct rally t;
	u64 chains = 0;

	rng_state = env("RING_FUZZ_SEED", 0x9e3779b97f4a7c15ULL) | 1;
	for (u64 n = 0; n < rounds && !check_failures; n++) {
		memset(&t, 0, sizeof(t));
		packed_init(&t.o, 1 + rnd(20), rnd(2) ? P_WRITE : 0);
		packed_start_at(&t.o, rnd(t.o.size), rnd(2));
		t.flags = rnd(4);
		CHECK(!packed_setup(&t.o, &t.r, t.flags));
		for (u32 step = 0; step < 1000 && !check_failures; step++) {
			switch (rnd(8)) {
			case 0 ... 2:
				rally_give(&t);
				break;
			case 3 ... 5:
				chains += t.taken < t.under_way;
				rally_take(&t);
				break;
			case 6:
				vpring_publish(&t.r);
				rally_get(&t);
				CHECK(!t.taken);
				break;
			default:
				/* a reload: all taken is shown before */
				vpring_publish(&t.r);
				CHECK(!packed_setup(&t.o, &t.r, t.flags));
				rally_get(&t);
				CHECK(!t.taken);
				break;
			}
		}
		packed_free(&t.o);
	}
	printf("  %llu rings, %llu chains\n", (unsigned long long)rounds,
	       (unsigned long long)chains);
	CHECK(chains > rounds * 50);
}

/* Every event that was asked for comes, and few others */
static void no_interrupt_is_lost(void)
{
	u32 rounds = 300000, wanted = 0;
	struct packed_origin o;
	struct vpring_chain c;
	struct vpring r;

	rng_state = env("RING_FUZZ_SEED", 0x9e3779b97f4a7c15ULL) | 1;
	packed_init(&o, 7, 0);
	CHECK(!packed_setup(&o, &r, VPRING_F_EVENT_IDX));
	for (u32 n = 0; n < rounds; n++) {
		u32 ahead, batch = 1 + rnd(7), count = 0, len;
		u32 slot = o.last, seen;
		bool wrap = o.last_wrap, got;
		u16 id;

		for (u16 i = 0; i < batch; i++)
			CHECK(packed_add(&o, i, 1, 10));
		/* asks to be told when this one is back */
		ahead = rnd(7);
		if (slot + ahead >= 7)
			wrap = !wrap;
		o.driver->off_wrap = (slot + ahead) % 7 | (wrap ? 0x8000 : 0);
		o.driver->flags = VRING_PACKED_EVENT_FLAG_DESC;
		for (seen = 0; seen < batch; seen += count) {
			u32 take = 1 + rnd(batch - seen);

			for (count = 0; count < take; count++) {
				CHECK(vpring_pop(&r, segs, VPRING_MAX_SEGS,
						 &c) == VPRING_OK);
				vpring_fill(&r, c.head, 0);
			}
			got = vpring_publish(&r);
			CHECK(got == (ahead >= seen && ahead < seen + count));
			wanted += got;
		}
		while (packed_get(&o, &id, &len))
			;
		if (check_failures)
			break;
	}
	CHECK(wanted > rounds / 10);
	packed_free(&o);
}

struct racer {
	struct packed_origin *o;
	bool stop;
};

/* The origin's CPU: rewrites ring and tables as fast as it can */
static void *race_thread(void *arg)
{
	struct racer *racer = arg;
	struct packed_origin *o = racer->o;
	u64 x = 88172645463325252ULL;

	while (!__atomic_load_n(&racer->stop, __ATOMIC_RELAXED)) {
		u32 i, at;
		u16 avail;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		i = x % o->size;
		at = (x >> 20) % (PACKED_DATA - PACKED_TABLE);
		avail = packed_avail((x >> 50) & 1);
		switch ((x >> 40) % 256) {
		case 0:
			WRITE_ONCE(o->slot[i].addr, x);
			break;
		case 1:
			WRITE_ONCE(o->slot[i].len, x >> 8);
			break;
		case 2:
			WRITE_ONCE(o->slot[i].flags, x >> 8);
			break;
		case 3:
			WRITE_ONCE(o->mem[PACKED_TABLE + at], x >> 8);
			break;
		case 4:
			WRITE_ONCE(*(u32 *)o->driver, x >> 8);
			break;
		case 5 ... 63:
			WRITE_ONCE(o->slot[i].flags, avail | P_IND);
			break;
		case 64 ... 99:
			WRITE_ONCE(o->slot[i].flags, avail | P_NEXT);
			break;
		case 100 ... 159:
			WRITE_ONCE(o->slot[i].flags, avail);
			break;
		case 160 ... 199:
			WRITE_ONCE(o->slot[i].len, 16 * (1 + (x >> 8) % 64));
			break;
		case 200 ... 229:
			WRITE_ONCE(o->slot[i].addr,
				   PACKED_TABLE + (at & ~15U));
			break;
		default:
			WRITE_ONCE(o->slot[i].id, x >> 8);
			break;
		}
	}
	return NULL;
}

static void changing_under_our_eyes(void)
{
	u64 popped = 0, broken = 0, sum = 0;
	struct racer racer = { 0 };
	struct timespec end, now;
	struct packed_origin o;
	struct vpring_chain c;
	pthread_t thread;

	packed_init(&o, 61, 0);
	for (u32 i = 0; i < (PACKED_DATA - PACKED_TABLE) / 16; i++) {
		struct vring_packed_desc *t = (void *)(o.mem + PACKED_TABLE);

		t[i].addr = PACKED_DATA + 16 * i;
		t[i].len = 1 + i;
	}
	racer.o = &o;
	CHECK(!pthread_create(&thread, NULL, race_thread, &racer));
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 600;
	do {
		struct vpring r;

		/* the racer may have had the machine to itself meanwhile */
		for (u32 i = 0; i < o.size; i++)
			packed_put(&o, i, PACKED_DATA, 1 + i, i,
				   packed_avail(true));
		CHECK(!packed_setup(&o, &r, VPRING_F_INDIRECT |
				    VPRING_F_EVENT_IDX));
		CHECK(r.used_pos < 2 * o.size);
		/* on one processor they only meet this way */
		if (popped >= 1000000)
			sched_yield();
		while (vpring_pop(&r, segs, VPRING_MAX_SEGS, &c) == VPRING_OK) {
			u64 len = 0;

			CHECK(c.nsegs && c.nsegs <= VPRING_MAX_SEGS);
			for (u32 i = 0; i < c.nsegs; i++) {
				u8 *at = segs[i].addr;

				/*
				 * read all of it: the sanitizer complains if
				 * anything is outside
				 */
				CHECK(segs[i].len);
				sum += *(volatile u8 *)at;
				sum += *(volatile u8 *)(at + segs[i].len - 1);
				len += segs[i].len;
			}
			CHECK(len == c.len);
			vpring_fill(&r, c.head, popped % 3);
			if (popped % 5 == 0)
				vpring_join(&r);
			popped++;
			if (popped % 7 == 0)
				vpring_publish(&r);
			if (popped % 11 == 0)
				vpring_arm(&r);
			vpring_disarm(&r);
			CHECK(vpring_pending(&r) <= o.size);
		}
		broken += r.error != VPRING_E_NONE;
		vpring_publish(&r);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((popped < 1000000 || broken < 1000) &&
		 now.tv_sec < end.tv_sec);
	__atomic_store_n(&racer.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("  %llu chains taken, %llu rings broken (%llu)\n",
	       (unsigned long long)popped, (unsigned long long)broken,
	       (unsigned long long)sum);
	/* otherwise the two did not meet */
	CHECK(popped >= 1000000 && broken >= 1000);
	packed_free(&o);
}

const struct test packed_fuzz_tests[] = {
	TEST(what_was_given_comes_back),
	TEST(no_interrupt_is_lost),
	TEST(changing_under_our_eyes),
	TESTS_END
};
