/* SPDX-License-Identifier: GPL-2.0-only */
/* The white list of an origin's features */
#ifndef VHOST_PCI_ACCEPT_H
#define VHOST_PCI_ACCEPT_H

#include <linux/types.h>

u64 vpnet_features_known(void);

#endif /* VHOST_PCI_ACCEPT_H */
