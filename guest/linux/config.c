// SPDX-License-Identifier: GPL-2.0-only
/*
 * Follows the device configuration from epoch to epoch.
 */
#include <linux/jiffies.h>
#include <linux/virtio_config.h>

#include "config.h"
#include "driver.h"
#include "link.h"

#define VPNET_CONFIG_TRIES	16
#define VPNET_CONFIG_RETRY	msecs_to_jiffies(10)

/* Never read beyond the device's configuration: the transport BUG()s */
#define VPNET_CONFIG_MAX	4096

static u16 cfg_read16_at(struct virtio_device *vdev, u32 offset)
{
	__le16 val;

	vdev->config->get(vdev, offset, &val, sizeof(val));
	return le16_to_cpu(val);
}

static u32 cfg_read32_at(struct virtio_device *vdev, u32 offset)
{
	__le32 val;

	vdev->config->get(vdev, offset, &val, sizeof(val));
	return le32_to_cpu(val);
}

/* Not atomic; the epoch tells whether the halves belong together */
static u64 cfg_read64_at(struct virtio_device *vdev, u32 offset)
{
	__le64 val;

	vdev->config->get(vdev, offset, &val, sizeof(val));
	return le64_to_cpu(val);
}

/* A field of the header, and one of vhost-pci-net's part */
#define HEAD(member)	offsetof(struct vhost_pci_config, member)
#define NET(vp, member)	((vp)->layout.net + \
			 offsetof(struct vhost_pci_net_config, member))

void vpnet_config_read_mac(struct vpnet *vp, u8 *mac)
{
	virtio_cread_bytes(vp->vdev, NET(vp, mac), mac, ETH_ALEN);
}

u16 vpnet_config_read_mtu(struct vpnet *vp)
{
	return cfg_read16_at(vp->vdev, NET(vp, mtu));
}

static void vpnet_config_read_layout(struct virtio_device *vdev,
				     struct vpnet_layout *to)
{
	to->ring_offset = cfg_read16_at(vdev, HEAD(ring_offset));
	to->ring_entry = cfg_read16_at(vdev, HEAD(ring_entry));
	/* more pairs than are known here are left alone */
	to->rings = min_t(u16, cfg_read16_at(vdev, HEAD(ring_count)),
			  VPNET_MAX_RINGS);
	to->net = cfg_read16_at(vdev, HEAD(device_config_offset));
}

static bool vpnet_layout_valid(const struct vpnet_layout *layout, u16 net_size)
{
	return layout->rings >= VPNET_PAIR_RINGS &&
	       layout->ring_entry >= sizeof(struct vhost_pci_ring) &&
	       layout->ring_offset >= sizeof(struct vhost_pci_config) &&
	       layout->ring_offset + layout->rings * layout->ring_entry <=
	       VPNET_CONFIG_MAX &&
	       layout->net >= sizeof(struct vhost_pci_config) &&
	       net_size >= sizeof(struct vhost_pci_net_config) &&
	       layout->net + net_size <= VPNET_CONFIG_MAX;
}

/*
 * Called first at probe: is this a device that we know?  The layout is read
 * once and does not change.
 */
int vpnet_config_check(struct virtio_device *vdev, struct vpnet_layout *layout)
{
	u32 version = cfg_read32_at(vdev, HEAD(version));
	struct device *d = &vdev->dev;
	u16 class, net_size;

	if (version != VHOST_PCI_CONFIG_VERSION) {
		dev_err(d, "device has configuration version %u, this driver knows version %u only: update %s\n",
			version, VHOST_PCI_CONFIG_VERSION,
			version < VHOST_PCI_CONFIG_VERSION ?
			"QEMU and its vhost-pci library" : "this driver");
		return -EPROTO;
	}
	class = cfg_read16_at(vdev, HEAD(device_class));
	if (class != VHOST_PCI_CLASS_NET) {
		dev_err(d, "device is of class %u, not a network device\n",
			class);
		return -EPROTO;
	}
	vpnet_config_read_layout(vdev, layout);
	net_size = cfg_read16_at(vdev, HEAD(device_config_size));
	if (!vpnet_layout_valid(layout, net_size)) {
		dev_err(d, "device has an impossible layout: %u rings of %u bytes at %u, %u bytes of its class at %u\n",
			layout->rings, layout->ring_entry, layout->ring_offset,
			net_size, layout->net);
		return -EPROTO;
	}
	return 0;
}

static void vpnet_config_read_rings(struct vpnet *vp, struct vpnet_config *cfg)
{
	const struct vpnet_layout *layout = &vp->layout;
	struct virtio_device *vdev = vp->vdev;
	u32 at = layout->ring_offset;
	unsigned int i;

	for (i = 0; i < vpnet_rings(vp); i++, at += layout->ring_entry) {
		struct vpring_area *area = &cfg->ring[i].area;

#define RING_AT(member)	(at + offsetof(struct vhost_pci_ring, member))
		cfg->ring[i].enabled = cfg_read32_at(vdev, RING_AT(flags)) &
				       VHOST_PCI_RING_ENABLED;
		/* each read is a VM exit: skip what is not used */
		if (!cfg->ring[i].enabled)
			continue;
		area->desc = cfg_read64_at(vdev, RING_AT(desc));
		area->avail = cfg_read64_at(vdev, RING_AT(avail));
		area->used = cfg_read64_at(vdev, RING_AT(used));
		area->size = cfg_read32_at(vdev, RING_AT(size));
#undef RING_AT
	}
}

/*
 * Return: 0; -EAGAIN if the device changes faster than we can read; -ENODEV if
 * it is gone, in which case every read returns ones.
 */
static int vpnet_config_read(struct vpnet *vp, struct vpnet_config *cfg)
{
	struct virtio_device *vdev = vp->vdev;
	unsigned int tries;

	for (tries = 0; tries < VPNET_CONFIG_TRIES; tries++) {
		if (cfg_read32_at(vdev, HEAD(version)) !=
		    VHOST_PCI_CONFIG_VERSION)
			return -ENODEV;

		cfg->epoch = cfg_read32_at(vdev, HEAD(epoch));
		cfg->link_up = cfg_read32_at(vdev, HEAD(link)) &
			       VHOST_PCI_LINK_UP;
		cfg->features = cfg_read64_at(vdev, HEAD(features));
		cfg->window_base = cfg_read64_at(vdev, HEAD(window_base));
		cfg->mtu = vpnet_config_read_mtu(vp);
		cfg->announce = cfg_read32_at(vdev, NET(vp, announce));
		virtio_cread_bytes(vdev, NET(vp, origin_mac), cfg->origin_mac,
				   ETH_ALEN);
		vpnet_config_read_rings(vp, cfg);
		if (cfg_read32_at(vdev, HEAD(epoch)) == cfg->epoch)
			return 0;
	}
	return -EAGAIN;
}

/*
 * The only place that adopts an epoch.  The workqueue never runs the item twice
 * at a time and runs it again if it was queued meanwhile, so no change is
 * missed.  Must not wait for the RTNL: the origin is waiting for the
 * acknowledgment.
 */
void vpnet_config_work(struct work_struct *work)
{
	struct vpnet *vp = container_of(to_delayed_work(work), struct vpnet,
					config_work);
	struct vpnet_config *cfg = &vp->config;
	u64 suspects;
	int err;

	if (READ_ONCE(vp->stopping))
		return;
	/* first: what breaks while we read may be due to a withdrawal */
	suspects = vpnet_rings_suspect(vp);
	err = vpnet_config_read(vp, cfg);
	if (err == -EAGAIN) {
		schedule_delayed_work(&vp->config_work, VPNET_CONFIG_RETRY);
		return;
	}
	if (err) {
		vpnet_rings_off(vp);
		vp->adopted = false;
		return;
	}
	if (vp->adopted && vp->epoch == cfg->epoch) {
		vpnet_rings_report(vp, suspects);
		return;
	}

	/* before the ack, which allows the device to unmap them */
	vpnet_rings_off(vp);
	vp->epoch = cfg->epoch;
	vp->adopted = true;
	virtio_cwrite_le(vp->vdev, struct vhost_pci_config, ack, &cfg->epoch);
	netdev_dbg(vp->dev, "epoch %u, link %s, features %#llx, mtu %u\n",
		   cfg->epoch, cfg->link_up ? "up" : "down", cfg->features,
		   cfg->mtu);

	/*
	 * There may be a newer epoch by now, but the device keeps what this one
	 * describes until the newer one is acknowledged as well.
	 */
	if (cfg->link_up && vpnet_rings_on(vp, cfg))
		netdev_dbg(vp->dev, "%u pairs, rings of %u and %u entries\n",
			   vp->pairs_on, cfg->ring[VPNET_ORIGIN_RX].area.size,
			   cfg->ring[VPNET_ORIGIN_TX].area.size);

	WRITE_ONCE(vp->mtu_told, cfg->mtu);
	schedule_work(&vp->netdev_work);

	if (cfg->announce != vp->announced) {
		vp->announced = cfg->announce;
		vpnet_driver_announce(vp, cfg->origin_mac);
	}
}

/* From any context: read the configuration again */
void vpnet_config_schedule(struct vpnet *vp)
{
	mod_delayed_work(system_wq, &vp->config_work, 0);
}

/*
 * A ring has broken.  That may be a withdrawal that we have not heard of yet:
 * the window reads as zeroes before the epoch changes.  Look at the
 * configuration before blaming the origin.
 */
void vpnet_config_ring_broken(struct vpnet_queue *q)
{
	struct vpnet *vp = q->vq->vdev->priv;

	netif_carrier_off(vp->dev);
	vpnet_config_schedule(vp);
}

/*
 * Let go of everything, for good.  The virtio core no longer calls
 * config_changed, but a ring that breaks can queue the work until the rings are
 * off.
 */
void vpnet_config_stop(struct vpnet *vp)
{
	WRITE_ONCE(vp->stopping, true);
	cancel_delayed_work_sync(&vp->config_work);
	vpnet_rings_off(vp);
	cancel_delayed_work_sync(&vp->config_work);
	/* waits for the RTNL, so the caller must not hold it */
	cancel_work_sync(&vp->netdev_work);
}
