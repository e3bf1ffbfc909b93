// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "segs.h"

/* Cut @len bytes at @base into pieces of random length */
static u32 cut(struct vpring_seg *segs, u8 *base, u32 len, u32 longest)
{
	u32 n = 0;

	while (len) {
		u32 piece = 1 + rand() % longest;

		if (piece > len)
			piece = len;
		segs[n].addr = base;
		segs[n++].len = piece;
		base += piece;
		len -= piece;
	}
	return n;
}

static void header_in_single_bytes(void)
{
	u8 mem[12], hdr[12], back[12] = { 0 };
	struct vpring_seg segs[12];
	struct vpsegs it;

	for (int i = 0; i < 12; i++) {
		hdr[i] = 0x40 + i;
		segs[i].addr = &mem[11 - i];	/* not even in order */
		segs[i].len = 1;
	}
	vpsegs_start(&it, segs);
	vpsegs_write(&it, hdr, sizeof(hdr));
	CHECK(mem[0] == 0x4b && mem[11] == 0x40);
	vpsegs_start(&it, segs);
	vpsegs_read(&it, back, sizeof(back));
	CHECK(!memcmp(hdr, back, sizeof(hdr)));
}

static void any_cut_gives_the_same_bytes(void)
{
	enum { LEN = 700 };
	struct vpring_seg *segs;
	u8 in[LEN], out[LEN];

	srand(1);
	for (int round = 0; round < 20000; round++) {
		u32 len = 1 + rand() % LEN, at = 0, n;
		u8 *mem = malloc(len);
		struct vpsegs it;

		for (u32 i = 0; i < len; i++)
			in[i] = rand();
		/* exactly as many as needed: one more read would be caught */
		segs = malloc(len * sizeof(*segs));
		n = cut(segs, mem, len, 1 + rand() % 200);
		segs = realloc(segs, n * sizeof(*segs));

		vpsegs_start(&it, segs);
		while (at < len) {
			u32 part = 1 + rand() % 300;

			part = part > len - at ? len - at : part;
			vpsegs_write(&it, in + at, part);
			at += part;
		}
		CHECK(!memcmp(mem, in, len));

		vpsegs_start(&it, segs);
		for (at = 0; at < len; ) {
			u32 part = 1 + rand() % 300;

			part = part > len - at ? len - at : part;
			vpsegs_read(&it, out + at, part);
			at += part;
		}
		CHECK(!memcmp(out, in, len));
		free(segs);
		free(mem);
	}
}

/* The short cut for a header in one piece, and its way out, by byte counts */
static void header_at_any_cut(void)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct virtio_net_hdr back;

	for (u32 i = 0; i < sizeof(hdr); i++)
		((u8 *)&hdr)[i] = 0x80 + i;
	for (u32 hdr_len = 10; hdr_len <= 12; hdr_len += 2) {
		for (u32 first = 1; first <= hdr_len + 1; first++) {
			u8 *a = calloc(1, first), *b = calloc(1, 20);
			struct vpring_seg segs[2] = {
				{ a, first }, { b, 20 } };
			struct vpsegs it;
			u8 *next;
			u32 got;

			vpsegs_start(&it, segs);
			vpsegs_write_hdr(&it, &hdr, hdr_len);
			next = vpsegs_next(&it, 1, &got);
			CHECK(next == (first > hdr_len ? a + hdr_len :
						b + (hdr_len - first)));
			CHECK(*next == 0);

			memset(&back, 0, sizeof(back));
			vpsegs_start(&it, segs);
			vpsegs_read_hdr(&it, &back, hdr_len);
			CHECK(!memcmp(&back, &hdr, sizeof(back)));
			CHECK(vpsegs_next(&it, 1, &got) == next);
			free(a);
			free(b);
		}
	}
}

const struct test segs_tests[] = {
	TEST(header_at_any_cut),
	TEST(header_in_single_bytes),
	TEST(any_cut_gives_the_same_bytes),
	TESTS_END
};
