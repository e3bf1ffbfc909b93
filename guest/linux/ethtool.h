/* SPDX-License-Identifier: GPL-2.0-only */
/* What ethtool shows and sets */
#ifndef VHOST_PCI_ETHTOOL_H
#define VHOST_PCI_ETHTOOL_H

#include <linux/netdevice.h>

extern const struct ethtool_ops vpnet_ethtool_ops;

#endif /* VHOST_PCI_ETHTOOL_H */
