// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/pci.h>

#include "channels.h"
#include "ethtool.h"
#include "vhost_pci_net.h"

#define COUNTER(name)	{ #name, offsetof(struct vpnet_counters, name) }
#define TOTAL(name)	{ #name, offsetof(struct vpnet_totals, name) }

struct vpnet_stat_desc {
	const char *name;
	size_t offset;
};

static const struct vpnet_stat_desc vpnet_counter_descs[] = {
	COUNTER(kicks),
	COUNTER(polls),
	COUNTER(armed),
	COUNTER(rearmed),
	COUNTER(doorbells),
	COUNTER(broken),
	COUNTER(xdp_drops),
	COUNTER(xdp_tx),
	COUNTER(xdp_redirects),
	COUNTER(holds),
};

static const struct vpnet_stat_desc vpnet_total_descs[] = {
	TOTAL(packets),
	TOTAL(bytes),
	TOTAL(dropped),
	TOTAL(errors),
};

#define VPNET_COUNTERS	ARRAY_SIZE(vpnet_counter_descs)
#define VPNET_TOTALS	ARRAY_SIZE(vpnet_total_descs)

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
	const struct vpnet *vp = netdev_priv(dev);

	if (sset != ETH_SS_STATS)
		return -EOPNOTSUPP;
	/* all pairs, used or not: the number must not change between ioctls */
	return vpnet_rings(vp) * (VPNET_COUNTERS + VPNET_TOTALS);
}

static void vpnet_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	const struct vpnet *vp = netdev_priv(dev);
	unsigned int i, n;

	if (sset != ETH_SS_STATS)
		return;
	for (i = 0; i < vpnet_rings(vp); i++) {
		const char *ring = i % VPNET_PAIR_RINGS == VPNET_ORIGIN_RX ?
				   "rx" : "tx";
		unsigned int pair = i / VPNET_PAIR_RINGS;

		for (n = 0; n < VPNET_COUNTERS; n++)
			ethtool_sprintf(&data, "origin%u_%s_%s", pair, ring,
					vpnet_counter_descs[n].name);
		for (n = 0; n < VPNET_TOTALS; n++)
			ethtool_sprintf(&data, "origin%u_%s_%s", pair, ring,
					vpnet_total_descs[n].name);
	}
}

static void vpnet_get_ethtool_stats(struct net_device *dev,
				    struct ethtool_stats *stats, u64 *data)
{
	const struct vpnet *vp = netdev_priv(dev);
	unsigned int i, n;

	for (i = 0; i < vpnet_rings(vp); i++) {
		const struct vpnet_queue *q = vpnet_ring(vp, i);
		const void *base = &q->count;
		struct vpnet_totals totals;

		for (n = 0; n < VPNET_COUNTERS; n++) {
			const unsigned long *at =
				base + vpnet_counter_descs[n].offset;

			*data++ = READ_ONCE(*at);
		}
		vpnet_stats_read(&q->stats, &totals);
		base = &totals;
		for (n = 0; n < VPNET_TOTALS; n++)
			*data++ = *(const u64 *)
				  (base + vpnet_total_descs[n].offset);
	}
}

/*
 * There is no wire, so the speed is whatever the user says.  802.3ad bonding
 * and the bridge's path cost ask for it.
 */
static int vpnet_get_link_ksettings(struct net_device *dev,
				    struct ethtool_link_ksettings *cmd)
{
	const struct vpnet *vp = netdev_priv(dev);

	cmd->base.speed = vp->speed;
	cmd->base.duplex = vp->duplex;
	cmd->base.port = PORT_OTHER;
	return 0;
}

static int vpnet_set_link_ksettings(struct net_device *dev,
				    const struct ethtool_link_ksettings *cmd)
{
	struct vpnet *vp = netdev_priv(dev);

	return ethtool_virtdev_set_link_ksettings(dev, cmd, &vp->speed,
						  &vp->duplex);
}

/* The number of queues; the origin chooses the queue of a flow */
static int vpnet_get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info,
			   u32 *rule_locs)
{
	if (info->cmd != ETHTOOL_GRXRINGS)
		return -EOPNOTSUPP;
	info->data = dev->real_num_rx_queues;
	return 0;
}

/*
 * The origin decides how many pairs there are and sends on any of them.  Only
 * the number that we send on is ours to choose.
 */
static void vpnet_get_channels(struct net_device *dev,
			       struct ethtool_channels *ch)
{
	const struct vpnet *vp = netdev_priv(dev);

	ch->max_combined = max(1U, READ_ONCE(vp->pairs_on));
	ch->combined_count = min(ch->max_combined, dev->real_num_tx_queues);
}

static int vpnet_set_channels(struct net_device *dev,
			      struct ethtool_channels *ch)
{
	struct vpnet *vp = netdev_priv(dev);

	/* the core has checked the rest against vpnet_get_channels() */
	if (!ch->combined_count)
		return -EINVAL;
	vp->tx_wanted = ch->combined_count;
	/* XPS has forgotten the CPUs of queues that were off */
	vp->pairs_spread = 0;
	vpnet_channels_update(vp);
	return 0;
}

/* The rings are the origin's: its transmit ring is our receive ring */
static void vpnet_get_ringparam(struct net_device *dev,
				struct ethtool_ringparam *ring,
				struct kernel_ethtool_ringparam *kernel_ring,
				struct netlink_ext_ack *extack)
{
	const struct vpnet *vp = netdev_priv(dev);

	if (!READ_ONCE(vp->pairs_on))
		return;
	ring->rx_pending = vpnet_ring(vp, VPNET_ORIGIN_TX)->ring.size;
	ring->tx_pending = vpnet_ring(vp, VPNET_ORIGIN_RX)->ring.size;
	ring->rx_max_pending = ring->rx_pending;
	ring->tx_max_pending = ring->tx_pending;
}

static int vpnet_get_coalesce(struct net_device *dev,
			      struct ethtool_coalesce *c,
			      struct kernel_ethtool_coalesce *kernel_c,
			      struct netlink_ext_ack *extack)
{
	const struct vpnet *vp = netdev_priv(dev);

	c->use_adaptive_rx_coalesce = vp->coalesce.adaptive;
	c->rx_coalesce_usecs = vp->coalesce.usecs;
	c->rx_max_coalesced_frames = vp->coalesce.frames;
	return 0;
}

static int vpnet_set_coalesce(struct net_device *dev,
			      struct ethtool_coalesce *c,
			      struct kernel_ethtool_coalesce *kernel_c,
			      struct netlink_ext_ack *extack)
{
	struct vpnet *vp = netdev_priv(dev);

	/* a longer wait looks like a dead link */
	if (c->rx_coalesce_usecs > USEC_PER_SEC / 100)
		return -EINVAL;
	WRITE_ONCE(vp->coalesce.adaptive, c->use_adaptive_rx_coalesce);
	WRITE_ONCE(vp->coalesce.usecs, c->rx_coalesce_usecs);
	WRITE_ONCE(vp->coalesce.frames, c->rx_max_coalesced_frames);
	return 0;
}

const struct ethtool_ops vpnet_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_RX_USECS |
				     ETHTOOL_COALESCE_RX_MAX_FRAMES |
				     ETHTOOL_COALESCE_USE_ADAPTIVE_RX,
	.get_drvinfo		= vpnet_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_link_ksettings	= vpnet_get_link_ksettings,
	.set_link_ksettings	= vpnet_set_link_ksettings,
	.get_rxnfc		= vpnet_get_rxnfc,
	.get_sset_count		= vpnet_get_sset_count,
	.get_strings		= vpnet_get_strings,
	.get_ethtool_stats	= vpnet_get_ethtool_stats,
	.get_channels		= vpnet_get_channels,
	.set_channels		= vpnet_set_channels,
	.get_ringparam		= vpnet_get_ringparam,
	.get_coalesce		= vpnet_get_coalesce,
	.set_coalesce		= vpnet_set_coalesce,
};
