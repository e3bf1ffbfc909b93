// SPDX-License-Identifier: GPL-2.0-or-later
/* The same with pages of 64 KiB, as some kernels for arm64 and ppc64 have */
#define PAGE_SHIFT		16

#define rxbuf_tests		rxbuf64_tests
#define vpnet_rxbuf_init	vpnet_rxbuf64_init
#define vpnet_rxbuf_free	vpnet_rxbuf64_free
#define vpnet_rxbuf_shrink	vpnet_rxbuf64_shrink
#define vpnet_rxbuf_piece_slow	vpnet_rxbuf64_piece_slow
#define vpnet_rxbuf_copy	vpnet_rxbuf64_copy
#define vpnet_rxbuf_skb		vpnet_rxbuf64_skb

#include "rxbuf_test.c"
