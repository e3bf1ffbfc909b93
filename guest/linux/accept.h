/* SPDX-License-Identifier: GPL-2.0-only */
/* The white list of an origin's features */
#ifndef VHOST_PCI_ACCEPT_H
#define VHOST_PCI_ACCEPT_H

#include <linux/types.h>

/* vhost-user's sign that there are protocol features; unused in virtio 1.x */
#define VPNET_F_VHOST_USER_PROTOCOL	30

u64 vpnet_features_known(void);

#endif /* VHOST_PCI_ACCEPT_H */
