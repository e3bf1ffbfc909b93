// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network interface, but for its data paths.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>

#include "vhost_pci_net.h"

#define VPNET_OFFLOADS	(NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6)

static int vpnet_open(struct net_device *dev)
{
	struct vpnet *vp = netdev_priv(dev);

	napi_enable(&vp->napi);
	netif_start_queue(dev);
	/* kicks that came while it was disabled are gone */
	vpnet_rx_schedule(vp);
	return 0;
}

static int vpnet_stop(struct net_device *dev)
{
	struct vpnet *vp = netdev_priv(dev);

	netif_stop_queue(dev);
	napi_disable(&vp->napi);
	return 0;
}

static void vpnet_get_stats64(struct net_device *dev,
			      struct rtnl_link_stats64 *to)
{
	struct vpnet *vp = netdev_priv(dev);
	const struct vpnet_stats *rx = &vp->queue[VPNET_ORIGIN_TX].stats;
	const struct vpnet_stats *tx = &vp->queue[VPNET_ORIGIN_RX].stats;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&rx->sync);
		to->rx_packets = u64_stats_read(&rx->packets);
		to->rx_bytes = u64_stats_read(&rx->bytes);
		to->rx_dropped = u64_stats_read(&rx->dropped);
		to->rx_errors = u64_stats_read(&rx->errors);
	} while (u64_stats_fetch_retry(&rx->sync, start));
	to->rx_frame_errors = to->rx_errors;

	do {
		start = u64_stats_fetch_begin(&tx->sync);
		to->tx_packets = u64_stats_read(&tx->packets);
		to->tx_bytes = u64_stats_read(&tx->bytes);
		to->tx_dropped = u64_stats_read(&tx->dropped);
		to->tx_errors = u64_stats_read(&tx->errors);
	} while (u64_stats_fetch_retry(&tx->sync, start));
}

/* What the origin's driver can receive is what we may send unfinished */
static netdev_features_t vpnet_fix_features(struct net_device *dev,
					    netdev_features_t wanted)
{
	const struct vpnet *vp = netdev_priv(dev);
	u64 acked = READ_ONCE(vp->features);

	if (!(acked & BIT_ULL(VIRTIO_NET_F_GUEST_CSUM)))
		return wanted & ~VPNET_OFFLOADS;
	if (!(acked & BIT_ULL(VIRTIO_NET_F_GUEST_TSO4)))
		wanted &= ~NETIF_F_TSO;
	if (!(acked & BIT_ULL(VIRTIO_NET_F_GUEST_TSO6)))
		wanted &= ~NETIF_F_TSO6;
	return wanted;
}

static const struct net_device_ops vpnet_netdev_ops = {
	.ndo_open		= vpnet_open,
	.ndo_stop		= vpnet_stop,
	.ndo_start_xmit		= vpnet_start_xmit,
	.ndo_get_stats64	= vpnet_get_stats64,
	.ndo_fix_features	= vpnet_fix_features,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_mac_address	= eth_mac_addr,
};

static unsigned int vpnet_max_mtu(u64 acked, u16 config_mtu)
{
	/* 0: not known yet, so promise nothing and forbid nothing */
	if (!acked || (acked & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)))
		return ETH_MAX_MTU;
	return max_t(unsigned int, ETH_DATA_LEN, config_mtu);
}

static bool vpnet_mtu_usable(u16 mtu)
{
	return mtu >= ETH_MIN_MTU;
}

/* Before the registration of the interface */
void vpnet_netdev_setup(struct vpnet *vp)
{
	struct net_device *dev = vp->dev;
	u8 mac[ETH_ALEN];

	dev->netdev_ops = &vpnet_netdev_ops;
	dev->ethtool_ops = &vpnet_ethtool_ops;
	/* frames are copied, so their shape and place do not matter */
	dev->features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA |
			NETIF_F_RXCSUM | VPNET_OFFLOADS;
	dev->hw_features = NETIF_F_SG | VPNET_OFFLOADS;
	dev->vlan_features = dev->features;

	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = ETH_MAX_MTU;
	vp->config_mtu = vpnet_config_read_mtu(vp);
	if (vpnet_mtu_usable(vp->config_mtu))
		dev->mtu = vp->config_mtu;

	vpnet_config_read_mac(vp, mac);
	if (is_valid_ether_addr(mac)) {
		eth_hw_addr_set(dev, mac);
	} else {
		eth_hw_addr_random(dev);
		dev_warn(&vp->vdev->dev,
			 "device has no valid MAC address, using %pM\n",
			 dev->dev_addr);
	}

	netif_napi_add(dev, &vp->napi, vpnet_poll);
	netif_carrier_off(dev);
}

/* What follows from a new epoch, but needs the RTNL */
void vpnet_netdev_update(struct vpnet *vp, u16 mtu)
{
	struct net_device *dev = vp->dev;
	unsigned int want;

	rtnl_lock();
	if (dev->reg_state != NETREG_REGISTERED)
		goto unlock;

	netdev_update_features(dev);
	dev->max_mtu = vpnet_max_mtu(vp->features, mtu);
	want = dev->mtu;
	/* the administrator's choice stands until the origin changes its own */
	if (mtu != vp->config_mtu && vpnet_mtu_usable(mtu))
		want = mtu;
	vp->config_mtu = mtu;
	want = min(want, dev->max_mtu);
	if (want != dev->mtu && dev_set_mtu(dev, want))
		netdev_warn(dev, "cannot change the MTU to %u\n", want);
unlock:
	rtnl_unlock();
}
