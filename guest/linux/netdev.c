// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network interface, except for its data paths.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>

#include "channels.h"
#include "config.h"
#include "driver.h"
#include "ethtool.h"
#include "netdev.h"
#include "poll.h"
#include "tc.h"
#include "tx.h"
#include "xdp.h"
#include "xdp_xmit.h"

/* Like its counterpart under the RTNL, and idempotent */
void vpnet_napi_enable(struct vpnet *vp)
{
	unsigned int i;

	if (vp->napi_on)
		return;
	for (i = 0; i < vp->pairs; i++)
		napi_enable(&vp->pair[i].napi);
	vp->napi_on = true;
}

void vpnet_napi_disable(struct vpnet *vp)
{
	unsigned int i;

	if (!vp->napi_on)
		return;
	for (i = 0; i < vp->pairs; i++) {
		napi_disable(&vp->pair[i].napi);
		vpnet_coalesce_stop(&vp->pair[i].coalesce);
	}
	vp->napi_on = false;
}

static int vpnet_open(struct net_device *dev)
{
	struct vpnet *vp = netdev_priv(dev);
	unsigned int i;
	int err;

	err = vpnet_xdp_open(vp);
	if (err)
		return err;
	vpnet_napi_enable(vp);
	netif_tx_start_all_queues(dev);
	/* kicks that came while NAPI was disabled are lost */
	for (i = 0; i < vp->pairs; i++)
		vpnet_poll_schedule(&vp->pair[i]);
	vpnet_driver_tell_up(vp, true);
	return 0;
}

static int vpnet_stop(struct net_device *dev)
{
	struct vpnet *vp = netdev_priv(dev);
	unsigned int i;

	vpnet_driver_tell_up(vp, false);
	netif_tx_stop_all_queues(dev);
	vpnet_napi_disable(vp);
	for (i = 0; i < vp->pairs; i++) {
		struct vpnet_pair *pair = &vp->pair[i];

		spin_lock_bh(&pair->rx_lock);
		vpnet_poll_settle(pair);
		spin_unlock_bh(&pair->rx_lock);
	}
	/* no receive work any more that would schedule it again */
	cancel_delayed_work_sync(&vp->rxbuf_work);
	for (i = 0; i < vp->pairs; i++)
		vpnet_rxbuf_free(&vp->pair[i].rxbuf);
	vpnet_xdp_close(vp);
	return 0;
}

static void vpnet_get_stats64(struct net_device *dev,
			      struct rtnl_link_stats64 *to)
{
	struct vpnet *vp = netdev_priv(dev);
	struct vpnet_totals sum;
	unsigned int i;

	for (i = 0; i < vp->pairs; i++) {
		struct vpnet_pair *pair = &vp->pair[i];

		vpnet_stats_read(&pair->queue[VPNET_ORIGIN_TX].stats, &sum);
		to->rx_packets += sum.packets;
		to->rx_bytes += sum.bytes;
		to->rx_dropped += sum.dropped;
		to->rx_errors += sum.errors;

		vpnet_stats_read(&pair->queue[VPNET_ORIGIN_RX].stats, &sum);
		to->tx_packets += sum.packets;
		to->tx_bytes += sum.bytes;
		to->tx_dropped += sum.dropped;
		to->tx_errors += sum.errors;
	}
	to->rx_frame_errors = to->rx_errors;
}

static netdev_features_t vpnet_fix_features(struct net_device *dev,
					    netdev_features_t wanted)
{
	const struct vpnet *vp = netdev_priv(dev);

	return wanted & (~VPNET_OFFLOADS | READ_ONCE(vp->offloads));
}

/*
 * The interface's features follow the origin only once the RTNL is free, so
 * check each packet.  We never parse headers, so tags do not matter.
 */
static netdev_features_t vpnet_features_check(struct sk_buff *skb,
					      struct net_device *dev,
					      netdev_features_t features)
{
	return vpnet_fix_features(dev, features);
}

static int vpnet_set_features(struct net_device *dev,
			      netdev_features_t features)
{
	const struct vpnet *vp = netdev_priv(dev);

	/* tc has no way to learn of it */
	if ((dev->features & ~features & NETIF_F_HW_TC) && vp->tc_cookie)
		return -EBUSY;
	return 0;
}

/* Nothing is filtered; without this op multicast addresses cannot be added */
static void vpnet_set_rx_mode(struct net_device *dev)
{
}

static const struct net_device_ops vpnet_netdev_ops = {
	.ndo_open		= vpnet_open,
	.ndo_stop		= vpnet_stop,
	.ndo_start_xmit		= vpnet_start_xmit,
	.ndo_get_stats64	= vpnet_get_stats64,
	.ndo_fix_features	= vpnet_fix_features,
	.ndo_set_features	= vpnet_set_features,
	.ndo_features_check	= vpnet_features_check,
	.ndo_set_rx_mode	= vpnet_set_rx_mode,
	.ndo_setup_tc		= vpnet_setup_tc,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_bpf		= vpnet_bpf,
	.ndo_xdp_xmit		= vpnet_xdp_xmit,
};

static unsigned int vpnet_max_mtu(u64 acked, u16 config_mtu)
{
	/* not known yet: do not limit what the user may set */
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
	unsigned int i;
	u8 mac[ETH_ALEN];

	dev->netdev_ops = &vpnet_netdev_ops;
	dev->ethtool_ops = &vpnet_ethtool_ops;
	/* there is no filter, and nobody to be told of a new address */
	dev->priv_flags |= IFF_UNICAST_FLT | IFF_LIVE_ADDR_CHANGE;
	/* frames are copied, so fragments and high memory do not matter */
	dev->features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA |
			NETIF_F_RXCSUM | NETIF_F_RXHASH | VPNET_OFFLOADS;
	/* the origin's stack validates segment counts itself */
	dev->features |= NETIF_F_GSO_ROBUST;
	dev->hw_features = NETIF_F_SG | NETIF_F_RXHASH | NETIF_F_HW_TC |
			   VPNET_OFFLOADS;
	dev->vlan_features = dev->features;

	vp->speed = SPEED_10000;
	vp->duplex = DUPLEX_FULL;
	vp->coalesce.usecs = VPNET_COALESCE_USECS;
	vp->coalesce.frames = VPNET_COALESCE_FRAMES;
	vp->coalesce.adaptive = true;

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

	for (i = 0; i < vp->pairs; i++)
		netif_napi_add(dev, &vp->pair[i].napi, vpnet_poll);
	/* before the registration: no RTNL, and it cannot fail */
	netif_set_real_num_tx_queues(dev, 1);
	netif_set_real_num_rx_queues(dev, 1);
	netif_carrier_off(dev);
}

/* What follows from the newest epoch, but needs the RTNL */
void vpnet_netdev_work(struct work_struct *work)
{
	struct vpnet *vp = container_of(work, struct vpnet, netdev_work);
	struct net_device *dev = vp->dev;
	unsigned int want;
	u16 mtu;

	rtnl_lock();
	mtu = READ_ONCE(vp->mtu_told);
	if (dev->reg_state != NETREG_REGISTERED)
		goto unlock;

	netdev_update_features(dev);
	vpnet_channels_update(vp);
	dev->max_mtu = vpnet_max_mtu(READ_ONCE(vp->features), mtu);
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
