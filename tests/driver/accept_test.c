// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "check.h"
#include "accept.h"

#define BIT(n)		(1ULL << (n))

static bool known(unsigned int bit)
{
	return vpnet_features_known() & BIT(bit);
}

/*
 * virtio: a driver must not touch rings that are used in a way it does not know
 */
static void unknown_ring_bits_are_refused(void)
{
	for (unsigned int bit = 24; bit <= 41; bit++) {
		bool handled = bit == VIRTIO_F_ANY_LAYOUT ||
			       bit == VIRTIO_RING_F_INDIRECT_DESC ||
			       bit == VIRTIO_RING_F_EVENT_IDX ||
			       bit == VIRTIO_F_VERSION_1 ||
			       bit == VIRTIO_F_RING_PACKED ||
			       bit == VIRTIO_F_IN_ORDER;

		CHECK(known(bit) == handled);
	}
}

/* These bring frames that would be dropped, or longer headers */
static void what_would_be_dropped_is_refused(void)
{
	CHECK(!known(VIRTIO_NET_F_HOST_UFO));
	CHECK(!known(6));				/* GSO, of old */
	CHECK(!known(56));				/* HOST_USO */
	CHECK(!known(VIRTIO_NET_F_HASH_REPORT));
	CHECK(!known(VIRTIO_NET_F_RSC_EXT));
	CHECK(!known(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS));
}

/* What every Linux or DPDK guest accepts of the features offered */
static void the_usual_features_are_known(void)
{
	static const unsigned int bits[] = {
		VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM,
		VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6,
		VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6,
		VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_MAC, VIRTIO_NET_F_STATUS,
		VIRTIO_NET_F_MTU, VIRTIO_NET_F_CTRL_VQ, VIRTIO_NET_F_MQ,
	};

	for (unsigned int i = 0; i < sizeof(bits) / sizeof(*bits); i++)
		CHECK(known(bits[i]));
}

const struct test accept_tests[] = {
	TEST(unknown_ring_bits_are_refused),
	TEST(what_would_be_dropped_is_refused),
	TEST(the_usual_features_are_known),
	TESTS_END
};
