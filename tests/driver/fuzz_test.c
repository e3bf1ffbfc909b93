// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random rings of two kinds: at rest, where a second, slower and simpler
 * implementation of the rules must come to the same result; and changing while
 * we look, where only the invariants can be checked.
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
#include "origin.h"
#include "reference.h"

#define NEXT	VRING_DESC_F_NEXT
#define WRITE	VRING_DESC_F_WRITE
#define IND	VRING_DESC_F_INDIRECT

static u64 rng_state;

static u32 rnd(u32 below)
{
	/* xorshift: the same seed gives the same rings everywhere */
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

static u64 random_addr(void)
{
	switch (rnd(64)) {
	case 0:
		return rng_state;
	case 1:
		return ORIGIN_SIZE - rnd(64);
	case 2:
		return ~0ULL - rnd(64);
	default:
		return ORIGIN_DATA + rnd(ORIGIN_SIZE - ORIGIN_DATA - 2048);
	}
}

static u32 random_len(void)
{
	switch (rnd(64)) {
	case 0:
		return 0;
	case 1:
		return rng_state;
	default:
		return 1 + rnd(2048);
	}
}

static u16 random_flags(u16 direction)
{
	u16 flags = direction;

	if (rnd(2))
		flags |= NEXT;
	if (!rnd(64))
		flags ^= WRITE;
	if (!rnd(64))
		flags |= IND;
	return flags;
}

static void random_descs(struct vring_desc *d, u32 n, u16 direction)
{
	for (u32 i = 0; i < n; i++)
		origin_desc(&d[i], random_addr(), random_len(),
			    random_flags(direction),
			    rnd(32) ? rnd(n) : rng_state);
}

static void random_tables(struct origin *o, u16 direction)
{
	for (u32 i = 0; i < o->size; i++) {
		u32 n = 1 + rnd(8);
		u64 at = ORIGIN_TABLE + 128 * rnd(64);

		if (rnd(4))
			continue;
		random_descs(origin_table(o, at), n, direction);
		origin_desc(&o->desc[i], at + (rnd(32) ? 0 : rnd(16)),
			    n * sizeof(struct vring_desc) +
			    (rnd(32) ? 0 : rnd(16)),
			    IND | (rnd(32) ? 0 : NEXT), 0);
	}
}

/* The rules for the index, and then those for the chain */
static void ref_pop(const struct origin *o, u32 flags, u16 taken,
		    struct ref_result *ref)
{
	if ((u16)(o->avail->idx - taken) > o->size) {
		ref->result = VPRING_BROKEN;
		ref->error = VPRING_E_AVAIL_IDX;
	} else if (o->avail->idx == taken) {
		ref->result = VPRING_EMPTY;
		ref->error = VPRING_E_NONE;
	} else {
		ref_chain(&o->win, o->desc, o->size, flags,
			  o->avail->ring[taken % o->size], ref);
	}
}

/*
 * Both implementations stop at the first violation, but notice a loop at
 * different places.
 */
static void compare(const struct origin *o, const struct vpring *r,
		    enum vpring_result got, const struct vpring_seg *segs,
		    const struct vpring_chain *c, const struct ref_result *ref)
{
	CHECK(got == ref->result);
	CHECK(r->error == ref->error);
	if (got != VPRING_OK || ref->result != VPRING_OK)
		return;
	CHECK(c->nsegs == ref->nsegs && c->len == ref->len);
	for (u32 i = 0; i < c->nsegs && i < ref->nsegs; i++) {
		CHECK(segs[i].addr == o->mem + ref->seg[i].addr);
		CHECK(segs[i].len == ref->seg[i].len);
	}
}

static void random_rings(void)
{
	static struct vpring_seg segs[VPRING_MAX_SEGS];
	static struct ref_result ref;
	u64 rounds = env("RING_FUZZ_ROUNDS", 1000000);
	u64 seen[VPRING_E_INDIRECT + 1] = { 0 }, popped = 0;
	struct vpring_chain c;
	struct origin o;

	rng_state = env("RING_FUZZ_SEED", 0x9e3779b97f4a7c15ULL) | 1;
	origin_init(&o, 16);
	for (u64 n = 0; n < rounds && !check_failures; n++) {
		u32 flags = rnd(8);
		u16 direction = flags & VPRING_F_WRITABLE ? WRITE : 0;
		u16 start = rng_state, taken = start;
		struct vpring r;

		o.size = o.area.size = 1u << rnd(6);
		random_descs(o.desc, o.size, direction);
		random_tables(&o, direction);
		for (u32 i = 0; i < o.size; i++)
			o.avail->ring[i] = rnd(64) ? rnd(o.size) : rng_state;
		o.used->idx = start;
		o.avail->idx = start + rnd(o.size + 1) +
			       (rnd(64) ? 0 : rnd(65536));

		CHECK(!vpring_init(&r, &o.win, &o.area, flags));
		for (;;) {
			enum vpring_result got;

			got = vpring_pop(&r, segs, VPRING_MAX_SEGS, &c);
			ref_pop(&o, flags, taken, &ref);
			compare(&o, &r, got, segs, &c, &ref);
			seen[r.error]++;
			if (got != VPRING_OK || check_failures)
				break;
			popped++;
			taken++;
			vpring_fill(&r, c.head, 0);
		}
		vpring_publish(&r);
		CHECK(o.used->idx == taken);
	}
	printf("  %llu rings, %llu good chains, broken by:",
	       (unsigned long long)rounds, (unsigned long long)popped);
	for (int e = VPRING_E_AVAIL_IDX; e <= VPRING_E_INDIRECT; e++) {
		printf(" %llu", (unsigned long long)seen[e]);
		/* a generator that never gets there would test nothing */
		CHECK(seen[e] || e == VPRING_E_TOO_LONG || rounds < 100000);
	}
	printf("\n");
	origin_free(&o);
}

struct racer {
	struct origin *o;
	bool stop;
};

/* The origin's CPU: rewrites ring and tables as fast as it can */
static void *race_thread(void *arg)
{
	struct racer *racer = arg;
	struct origin *o = racer->o;
	u64 x = 88172645463325252ULL;

	while (!__atomic_load_n(&racer->stop, __ATOMIC_RELAXED)) {
		u32 i, at;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		i = x % o->size;
		at = (x >> 20) % (ORIGIN_DATA - ORIGIN_TABLE);
		/* mostly harmless, otherwise no chain would ever be taken */
		switch ((x >> 40) % 256) {
		case 0:
			WRITE_ONCE(o->desc[i].addr, x);
			break;
		case 1:
			WRITE_ONCE(o->desc[i].len, x >> 8);
			break;
		case 2:
			WRITE_ONCE(o->desc[i].flags, (x >> 8) % 8);
			break;
		case 3:
			WRITE_ONCE(o->avail->ring[i], x >> 8);
			break;
		case 4:
			WRITE_ONCE(o->mem[ORIGIN_TABLE + at], x >> 8);
			break;
		case 5 ... 63:
			WRITE_ONCE(o->desc[i].flags, IND);
			break;
		case 64 ... 99:
			WRITE_ONCE(o->desc[i].flags, NEXT);
			break;
		case 100 ... 139:
			WRITE_ONCE(o->desc[i].flags, 0);
			break;
		case 140 ... 179:
			WRITE_ONCE(o->desc[i].len, 16 * (1 + (x >> 8) % 64));
			break;
		case 180 ... 219:
			/* a table, a buffer, or both */
			WRITE_ONCE(o->desc[i].addr,
				   ORIGIN_TABLE + (at & ~15U));
			break;
		default:
			WRITE_ONCE(o->desc[i].next, (x >> 8) % o->size);
			break;
		}
	}
	return NULL;
}

/* Tables of one-entry chains wherever the racer may point */
static void fill_tables(struct origin *o)
{
	struct vring_desc *t = origin_table(o, ORIGIN_TABLE);

	for (u32 i = 0; i < (ORIGIN_DATA - ORIGIN_TABLE) / 16; i++)
		origin_desc(&t[i], ORIGIN_DATA + 16 * i, 1 + i,
			    i % 4 ? NEXT : 0, 1 + i % 3);
}

static void changing_under_our_eyes(void)
{
	static struct vpring_seg segs[VPRING_MAX_SEGS];
	u64 popped = 0, broken = 0, sum = 0;
	struct racer racer = { 0 };
	struct timespec end, now;
	struct vpring_chain c;
	struct origin o;
	pthread_t thread;

	origin_init(&o, 64);
	fill_tables(&o);
	racer.o = &o;
	CHECK(!pthread_create(&thread, NULL, race_thread, &racer));
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 600;
	do {
		struct vpring r;

		/* the racer may have had the machine to itself meanwhile */
		for (u32 i = 0; i < o.size; i++) {
			origin_desc(&o.desc[i], ORIGIN_DATA, 1 + i, 0, 0);
			o.avail->ring[i] = i;
		}
		CHECK(!vpring_init(&r, &o.win, &o.area, VPRING_F_INDIRECT));
		__atomic_store_n(&o.avail->idx, r.used_pos + 64,
				 __ATOMIC_RELAXED);
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
			vpring_fill(&r, c.head, 0);
			popped++;
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
	origin_free(&o);
}

const struct test fuzz_tests[] = {
	TEST(random_rings),
	TEST(changing_under_our_eyes),
	TESTS_END
};
