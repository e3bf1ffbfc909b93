/* SPDX-License-Identifier: GPL-2.0-only */
/* The position of a packed ring */
#ifndef VHOST_PCI_RING_PACKED_FIND_H
#define VHOST_PCI_RING_PACKED_FIND_H

#include "ring_types.h"

u16 vpring_packed_find(struct vpring *ring);

#endif /* VHOST_PCI_RING_PACKED_FIND_H */
