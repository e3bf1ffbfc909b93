// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/pci.h>

#include "vhost_pci_net.h"

#define COUNTER(name)	{ #name, offsetof(struct vpnet_counters, name) }

static const struct {
	const char *name;
	size_t offset;
} vpnet_counter_names[] = {
	COUNTER(kicks),
	COUNTER(polls),
	COUNTER(armed),
	COUNTER(rearmed),
	COUNTER(doorbells),
	COUNTER(broken),
};

static const char * const vpnet_queue_names[VPNET_RINGS] = {
	[VPNET_ORIGIN_RX] = "origin0_rx",
	[VPNET_ORIGIN_TX] = "origin0_tx",
};

#define VPNET_COUNTERS	ARRAY_SIZE(vpnet_counter_names)

static void vpnet_get_drvinfo(struct net_device *dev,
			      struct ethtool_drvinfo *info)
{
	const struct vpnet *vp = netdev_priv(dev);

	strscpy(info->driver, VPNET_DRV_NAME, sizeof(info->driver));
	strscpy(info->version, VPNET_DRV_VERSION, sizeof(info->version));
	strscpy(info->bus_info, pci_name(to_pci_dev(vp->vdev->dev.parent)),
		sizeof(info->bus_info));
}

static int vpnet_get_sset_count(struct net_device *dev, int sset)
{
	if (sset != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return VPNET_RINGS * VPNET_COUNTERS;
}

static void vpnet_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	unsigned int i, n;

	if (sset != ETH_SS_STATS)
		return;
	for (i = 0; i < VPNET_RINGS; i++)
		for (n = 0; n < VPNET_COUNTERS; n++)
			ethtool_sprintf(&data, "%s_%s", vpnet_queue_names[i],
					vpnet_counter_names[n].name);
}

static void vpnet_get_ethtool_stats(struct net_device *dev,
				    struct ethtool_stats *stats, u64 *data)
{
	const struct vpnet *vp = netdev_priv(dev);
	unsigned int i, n;

	for (i = 0; i < VPNET_RINGS; i++) {
		const void *base = &vp->queue[i].count;

		for (n = 0; n < VPNET_COUNTERS; n++) {
			const unsigned long *at =
				base + vpnet_counter_names[n].offset;

			*data++ = READ_ONCE(*at);
		}
	}
}

const struct ethtool_ops vpnet_ethtool_ops = {
	.get_drvinfo		= vpnet_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_sset_count		= vpnet_get_sset_count,
	.get_strings		= vpnet_get_strings,
	.get_ethtool_stats	= vpnet_get_ethtool_stats,
};
