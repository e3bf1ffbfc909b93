// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the origin learns from this driver, and the origin's announcements.
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <net/arp.h>

#include "accept.h"
#include "driver.h"

static unsigned long long refuse;
module_param(refuse, ullong, 0444);
MODULE_PARM_DESC(refuse, "features of origins to refuse (mask of virtio-net's bits), beside those that are not known");

/* Once, before DRIVER_OK, so that no link comes up in between */
void vpnet_driver_tell(struct vpnet *vp)
{
	u64 accept = (vpnet_features_known() & ~refuse) |
		     BIT_ULL(VIRTIO_F_VERSION_1);

	virtio_cwrite_le(vp->vdev, struct vhost_pci_config, accept, &accept);
	/* the interface is registered: somebody may set it up at any time */
	rtnl_lock();
	vpnet_driver_tell_up(vp, netif_running(vp->dev));
	rtnl_unlock();
}

/* The origin has no carrier while the interface is down; under the RTNL */
void vpnet_driver_tell_up(struct vpnet *vp, bool up)
{
	u32 flags = up ? 0 : VHOST_PCI_DRIVER_DOWN;

	virtio_cwrite_le(vp->vdev, struct vhost_pci_config, driver, &flags);
}

/*
 * The origin has moved.  Pass its announcement on to our network, so that
 * bridges and switches learn where the address is now.
 */
void vpnet_driver_announce(struct vpnet *vp, const u8 *mac)
{
	struct net_device *dev = vp->dev;
	struct sk_buff *skb;

	if (!is_valid_ether_addr(mac))
		return;
	skb = arp_create(ARPOP_RREQUEST, ETH_P_RARP, 0, dev, 0, NULL, mac, mac);
	if (!skb || skb_put_padto(skb, ETH_ZLEN))
		return;
	skb->protocol = eth_type_trans(skb, dev);
	netif_rx(skb);
}
