// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory for received frames, with an allocator that counts and that fails.
 * Compiled for small pages, and by rxbuf64_test.c for large ones.
 */
#include "../../guest/linux/rxbuf.c"

#include "check.h"

#define MANY		4096
#define LARGEST		(65535 + 14 + 4)

static u64 rng_state;

static u32 rnd(u32 below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (rng_state >> 16) % below;
}

static u8 frame[LARGEST];
static struct vpnet_rxbuf rb;

/* A socket's queue, which is as long as a test lets it be */
static struct {
	struct sk_buff *skb[MANY];
	u32 seed[MANY];
	unsigned int count;
} kept;

static void begin(void)
{
	rng_state = 0x9e3779b97f4a7c15;
	memset(&shim_mm, 0, sizeof(shim_mm));
	shim_skb_fail = false;
	kept.count = 0;
	vpnet_rxbuf_init(&rb);
}

static void end(void)
{
	shim_mm.fail = false;
	vpnet_rxbuf_free(&rb);
	CHECK(!kept.count);
	CHECK(!shim_mm.pages && !shim_mm.bytes);
}

/* Does all of it lie in memory that was allocated? */
static bool given(const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo;

	if (skb->head_frag) {
		struct page *page = virt_to_head_page(skb->head);

		if (!page || skb->head + skb->head_size >
			     page->va + (PAGE_SIZE << page->order))
			return false;
	}
	shinfo = skb_shinfo(skb);
	for (int i = 0; i < shinfo->nr_frags; i++) {
		const skb_frag_t *f = &shinfo->frags[i];

		if (f->off + f->size > PAGE_SIZE << f->page->order)
			return false;
	}
	return true;
}

/* What cannot be used for anything else while this packet is kept */
static unsigned long pinned(const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned long sum = SHIM_SKB_SIZE;

	sum += skb->head_frag ?
	       PAGE_SIZE << virt_to_head_page(skb->head)->order :
	       skb->head_size;
	for (int i = 0; i < shinfo->nr_frags; i++)
		sum += PAGE_SIZE << shinfo->frags[i].page->order;
	return sum;
}

static void fill(u32 seed, u32 len)
{
	for (u32 i = 0; i < len; i++)
		frame[i] = seed * 31 + i * 7;
}

static bool whole(const struct sk_buff *skb, u32 seed)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	u32 at = skb_headlen(skb);

	fill(seed, skb->len);
	if (memcmp(skb->data, frame, at))
		return false;
	for (int i = 0; i < shinfo->nr_frags; i++) {
		const skb_frag_t *f = &shinfo->frags[i];

		if (memcmp(skb_frag_address(f), frame + at, f->size))
			return false;
		at += f->size;
	}
	return at == skb->len;
}

static void keep(struct sk_buff *skb, u32 seed)
{
	CHECK(kept.count < MANY);
	kept.skb[kept.count] = skb;
	kept.seed[kept.count++] = seed;
}

static void let_go(unsigned int i)
{
	/* nobody else wrote to it */
	CHECK(whole(kept.skb[i], kept.seed[i]));
	kfree_skb(kept.skb[i]);
	kept.count--;
	kept.skb[i] = kept.skb[kept.count];
	kept.seed[i] = kept.seed[kept.count];
}

static void let_all_go(void)
{
	while (kept.count)
		let_go(rnd(kept.count));
}

/* As rx.c does */
static struct sk_buff *receive(u32 len, u32 head, u32 seed)
{
	struct vpring_seg segs[2];
	struct sk_buff *skb;
	struct vpsegs it;

	fill(seed, len);
	if (len <= VPNET_RX_LINEAR && rnd(2)) {
		skb = vpnet_rxbuf_copy(&rb, frame, len);
	} else {
		segs[0] = (struct vpring_seg){ frame, len / 3 };
		segs[1] = (struct vpring_seg){ frame + len / 3, len - len / 3 };
		vpsegs_start(&it, segs);
		skb = vpnet_rxbuf_skb(&rb, &it, len, head);
	}
	if (!skb)
		return NULL;
	CHECK(given(skb));
	CHECK(skb->len == len && whole(skb, seed));
	/* keep one and drop the others: the worst case */
	CHECK(pinned(skb) <= 2UL * skb->truesize);
	CHECK(skb->truesize <= 2 * pinned(skb));
	return skb;
}

/* Sizes around each limit, and others at random */
static u32 random_len(void)
{
	static const u32 limits[] = {
		60, 128, 1514, 2048, 2048 + 256, 4096, 8192, 16384, 32768,
		32768 + 16384, LARGEST - 16,
	};

	switch (rnd(4)) {
	case 0:
		return 14 + rnd(LARGEST - 14 + 1);
	case 1:
		return 14 + rnd(2048);
	default:
		return limits[rnd(ARRAY_SIZE(limits))] - 16 + rnd(33);
	}
}

static void each_length(void)
{
	begin();
	for (u32 len = 14; len <= LARGEST; len += len < 5000 ? 1 : 61) {
		struct sk_buff *skb = receive(len, len % 400, len);

		CHECK(skb);
		if (skb)
			kfree_skb(skb);
	}
	end();
}

/* A queue of limited length gets one frame of many; all limits are charges */
static void charge_is_what_is_pinned(void)
{
	for (u32 one_of = 1; one_of <= 73; one_of += 9) {
		unsigned long charged = 0;

		begin();
		for (u32 n = 0; n < 20000 && kept.count < 1000; n++) {
			const u32 len = one_of & 1 ? random_len() :
					60 + 1454 * rnd(2);
			struct sk_buff *skb = receive(len, rnd(200), n);

			CHECK(skb);
			if (!skb)
				continue;
			if (rnd(one_of)) {
				kfree_skb(skb);
				continue;
			}
			charged += skb->truesize;
			keep(skb, n);
		}
		/* what only we hold does not count */
		vpnet_rxbuf_free(&rb);
		CHECK(shim_mm.bytes + kept.count * SHIM_SKB_SIZE <=
		      2 * charged);
		let_all_go();
		end();
	}
}

/*
 * After a failed allocation the next frame must not get the rest of the last
 * page, even if it fits.
 */
static void failing_after_a_rest_was_left(void)
{
	struct sk_buff *skb;

	begin();
	/* one after the other, until all are in use and a rest is left */
	for (u32 n = 0; n < 300; n++)
		keep(receive(n % 3 ? 60 : 1514, 0, n), n);
	shim_mm.fail = true;
	for (u32 n = 300; n < 600; n++) {
		skb = receive(n & 1 ? 2048 : 60, 0, n);
		if (skb)
			keep(skb, n);
	}
	skb = receive(60, 0, 1);
	CHECK(!skb);
	/* goes on when there is memory again */
	shim_mm.fail = false;
	skb = receive(60, 0, 1);
	CHECK(skb);
	if (skb)
		keep(skb, 1);
	let_all_go();
	end();
}

#if PAGE_SHIFT == 12	/* with large pages heads come from slabs */
/* No page is to be had, and one of ours that is still in use holds up none */
static void failing_with_free_pages_of_our_own(void)
{
	unsigned int got = 0;

	begin();
	for (u32 n = 0; n < 400; n++)
		keep(receive(1514, 0, n), n);
	shim_mm.fail = true;
	while (kept.count > 1)
		let_go(1);
	for (u32 n = 0; n < 1000; n++) {
		struct sk_buff *skb = receive(1514, 0, n);

		got += !!skb;
		if (skb)
			kfree_skb(skb);
	}
	CHECK(got > 990);
	let_all_go();
	end();
}
#endif

static void failing_at_any_time(void)
{
	unsigned int failed = 0, held = 0;

	begin();
	for (u32 n = 0; n < 60000; n++) {
		struct sk_buff *skb;

		if (!rnd(50))
			shim_mm.fail = rnd(2);
		if (!rnd(50))
			shim_mm.fail_chunks = rnd(2);
		if (!rnd(50))
			shim_mm.pfmemalloc = !rnd(3);
		if (!rnd(5000))
			vpnet_rxbuf_shrink(&rb);
		shim_skb_fail = !rnd(20);
		skb = receive(random_len(), rnd(300), n);
		failed += !skb;
		if (skb && rnd(3) && kept.count < 700)
			keep(skb, n);
		else if (skb)
			kfree_skb(skb);
		held += kept.count > 500;
		while (kept.count > 600 || (kept.count && !rnd(5)))
			let_go(rnd(kept.count));
	}
	CHECK(failed > 1000 && held > 1000);
	let_all_go();
	end();
}

/* Without chunks a large frame is in pages; it always fits */
static void without_chunks(void)
{
	begin();
	shim_mm.fail_chunks = true;
	for (u32 n = 0; n < 200; n++) {
		struct sk_buff *skb = receive(LARGEST - n, n, n);

		CHECK(skb);
		if (skb)
			keep(skb, n);
	}
	let_all_go();
	end();
}

/* Frames that are consumed in time need no new memory */
static void pages_are_used_again(void)
{
	unsigned int before = 0;

	begin();
	for (u32 n = 0; n < 5000; n++) {
		const u32 len = n % 100 ? 60 + 1454 * rnd(2) : LARGEST;
		struct sk_buff *skb = receive(len, 60, n);

		CHECK(skb);
		if (skb)
			keep(skb, n);
		if (kept.count == 100)
			let_all_go();
		if (n == 500)
			before = shim_mm.allocated;
	}
	let_all_go();
	CHECK(shim_mm.allocated <= before + before / 10);
	end();
}

/* A page from the reserves must not make the stack drop frames for ever */
static void pages_from_the_reserves_are_not_kept(void)
{
	begin();
	shim_mm.pfmemalloc = true;
	for (u32 n = 0; n < 10; n++)
		kfree_skb(receive(60, 0, n));
	shim_mm.pfmemalloc = false;
	for (u32 n = 0; n < 100; n++) {
		struct sk_buff *skb = receive(60, 0, n);

		if (n >= 20 && skb->head_frag)
			CHECK(!virt_to_head_page(skb->head)->pfmemalloc);
		kfree_skb(skb);
	}
	end();
}

static void the_stock_is_bounded_and_given_back(void)
{
	begin();
	for (u32 n = 0; n < 3000; n++)
		keep(receive(n % 4 ? 1514 : 40000, 60, n), n);
	let_all_go();
	CHECK(shim_mm.bytes && shim_mm.bytes <= 2 * VPNET_RX_STOCK);
	/* needed since the last time */
	CHECK(vpnet_rxbuf_shrink(&rb));
	CHECK(shim_mm.bytes);
	/* little traffic does not need what much traffic needed */
	kfree_skb(receive(60, 0, 1));
	CHECK(!vpnet_rxbuf_shrink(&rb));
	CHECK(!shim_mm.bytes);
	/* and what is in use survives it */
	for (u32 n = 0; n < 10; n++)
		keep(receive(random_len(), 60, n), n);
	vpnet_rxbuf_shrink(&rb);
	vpnet_rxbuf_shrink(&rb);
	let_all_go();
	end();
}

/* As xdp.c does */
static void pieces_for_programs(void)
{
	begin();
	for (u32 len = 14; len <= 16384; len += 7) {
		const u32 size = vpnet_rxbuf_size(256, len);
		u8 *piece = vpnet_rxbuf_piece(&rb, size);
		struct sk_buff *skb;

		CHECK(piece && size >= 256 + len +
			       sizeof(struct skb_shared_info));
		memset(piece, len, size);
		skb = napi_build_skb(piece, size);
		CHECK(given(skb));
		CHECK(pinned(skb) <= 2UL * skb->truesize);
		kfree_skb(skb);
	}
	end();
}

const struct test rxbuf_tests[] = {
	TEST(each_length),
	TEST(charge_is_what_is_pinned),
	TEST(failing_after_a_rest_was_left),
#if PAGE_SHIFT == 12
	TEST(failing_with_free_pages_of_our_own),
#endif
	TEST(failing_at_any_time),
	TEST(without_chunks),
	TEST(pages_are_used_again),
	TEST(pages_from_the_reserves_are_not_kept),
	TEST(the_stock_is_bounded_and_given_back),
	TEST(pieces_for_programs),
	TESTS_END
};
