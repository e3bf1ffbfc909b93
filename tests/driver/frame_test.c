// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/virtio_config.h>

#include "check.h"
#include "frame.h"

#define BIT(n)		(1ULL << (n))
#define CSUM		BIT(VIRTIO_NET_F_CSUM)
#define ALL		(~0ULL)

static struct virtio_net_hdr hdr(u8 flags, u8 gso, u16 size, u16 start,
				 u16 offset)
{
	struct virtio_net_hdr h = {
		.flags = flags,
		.gso_type = gso,
		.hdr_len = 0xffff,		/* a hint: never believed */
		.gso_size = size,
		.csum_start = start,
		.csum_offset = offset,
	};

	return h;
}

static bool valid(u8 flags, u8 gso, u16 size, u16 start, u16 offset, u32 len,
		  u64 features)
{
	struct virtio_net_hdr h = hdr(flags, gso, size, start, offset);

	return vpnet_hdr_valid(&h, len, features);
}

static bool sendable(u8 flags, u8 gso, u64 features)
{
	struct virtio_net_hdr h = hdr(flags, gso, 1448, 34, 16);

	return vpnet_hdr_sendable(&h, features);
}

static void header_length(void)
{
	CHECK(vpnet_hdr_len(0) == 10);
	CHECK(vpnet_hdr_len(CSUM | BIT(VIRTIO_NET_F_GUEST_CSUM)) == 10);
	CHECK(vpnet_hdr_len(BIT(VIRTIO_NET_F_MRG_RXBUF)) == 12);
	CHECK(vpnet_hdr_len(BIT(VIRTIO_F_VERSION_1)) == 12);
}

static void plain_frames(void)
{
	CHECK(valid(0, 0, 0, 0, 0, 14, 0));
	/* without the flag the checksum fields mean nothing */
	CHECK(valid(0, 0, 0xffff, 0xffff, 0xffff, 14, 0));
	/* unknown flags must be ignored */
	CHECK(valid(0xfe, 0, 0, 0, 0, 14, 0));
}

static void checksum_requests(void)
{
	const u8 f = VIRTIO_NET_HDR_F_NEEDS_CSUM;

	CHECK(valid(f, 0, 0, 34, 16, 60, CSUM));
	CHECK(!valid(f, 0, 0, 34, 16, 60, ALL & ~CSUM));
	CHECK(valid(f, 0, 0, 34, 16, 52, CSUM));
	CHECK(!valid(f, 0, 0, 34, 16, 51, CSUM));
	CHECK(!valid(f, 0, 0, 13, 16, 60, CSUM));
	/* CVE-2024-11614, and a sum that does not fit in 16 bits */
	CHECK(!valid(f, 0, 0, 0xffff, 0, 60, CSUM));
	CHECK(!valid(f, 0, 0, 34, 0xffff, 60, CSUM));
	CHECK(!valid(f, 0, 0, 0xffff, 0xffff, 60, CSUM));
	CHECK(!valid(f, 0, 0, 0xfff0, 0x10, 60, CSUM));
}

static void segmentation_requests(void)
{
	const u8 f = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	const u64 tso4 = CSUM | BIT(VIRTIO_NET_F_HOST_TSO4);
	const u64 tso6 = CSUM | BIT(VIRTIO_NET_F_HOST_TSO6);

	CHECK(valid(f, VIRTIO_NET_HDR_GSO_TCPV4, 1448, 34, 16, 9000, tso4));
	CHECK(valid(f, VIRTIO_NET_HDR_GSO_TCPV6, 1428, 54, 16, 9000, tso6));
	CHECK(!valid(f, VIRTIO_NET_HDR_GSO_TCPV4, 1448, 34, 16, 9000, tso6));
	CHECK(!valid(f, VIRTIO_NET_HDR_GSO_TCPV6, 1428, 54, 16, 9000, tso4));
	CHECK(!valid(0, VIRTIO_NET_HDR_GSO_TCPV4, 1448, 34, 16, 9000, tso4));
	CHECK(!valid(f, VIRTIO_NET_HDR_GSO_TCPV4, 0, 34, 16, 9000, tso4));
	CHECK(!valid(f, VIRTIO_NET_HDR_GSO_TCPV4, 1448, 34, 16, 53, tso4));
	CHECK(valid(f, VIRTIO_NET_HDR_GSO_TCPV4, 1448, 34, 16, 54, tso4));
	CHECK(!valid(f, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
		     1448, 34, 16, 9000, tso4));
	CHECK(valid(f, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
		    1448, 34, 16, 9000, tso4 | BIT(VIRTIO_NET_F_HOST_ECN)));

	/* with all features, exactly these four of 256 types */
	for (int type = 1; type < 256; type++) {
		int base = type & ~VIRTIO_NET_HDR_GSO_ECN;

		CHECK(valid(f, type, 1448, 34, 16, 9000, ALL) ==
		      (base == VIRTIO_NET_HDR_GSO_TCPV4 ||
		       base == VIRTIO_NET_HDR_GSO_TCPV6));
	}
}

static bool segments(u16 size, u32 len)
{
	return valid(VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4,
		     size, 34, 16, 34 + 20 + len,
		     CSUM | BIT(VIRTIO_NET_F_HOST_TSO4));
}

static void number_of_segments(void)
{
	const u32 longest = 65535 - 20 - 20;

	/* as GRO merges in an origin that routes: small records of SSH */
	CHECK(segments(36, 12 + 3 * 36));
	CHECK(segments(1, 12 + 2));
	/* an MSS of 48 less timestamps, in bulk */
	CHECK(segments(36, longest));
	CHECK(!segments(35, longest));
	CHECK(!segments(8, longest));
	CHECK(!segments(1, longest));

	CHECK(segments(1, VPNET_GSO_MAX_SEGS));
	CHECK(!segments(1, VPNET_GSO_MAX_SEGS + 1));
	CHECK(segments(0xffff, longest));
	CHECK(!segments(0, 0));
}

static void only_what_the_origin_can_take(void)
{
	const u8 f = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	const u64 csum = BIT(VIRTIO_NET_F_GUEST_CSUM);

	CHECK(sendable(0, 0, 0));
	CHECK(!sendable(f, 0, ALL & ~csum));
	CHECK(sendable(f, 0, csum));
	CHECK(!sendable(f, VIRTIO_NET_HDR_GSO_TCPV4, csum));
	CHECK(sendable(f, VIRTIO_NET_HDR_GSO_TCPV4,
		       csum | BIT(VIRTIO_NET_F_GUEST_TSO4)));
	CHECK(!sendable(f, VIRTIO_NET_HDR_GSO_TCPV6,
			csum | BIT(VIRTIO_NET_F_GUEST_TSO4)));
	CHECK(!sendable(f, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
			csum | BIT(VIRTIO_NET_F_GUEST_TSO4)));
}

const struct test frame_tests[] = {
	TEST(header_length),
	TEST(plain_frames),
	TEST(checksum_requests),
	TEST(segmentation_requests),
	TEST(number_of_segments),
	TEST(only_what_the_origin_can_take),
	TESTS_END
};
