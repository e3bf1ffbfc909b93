// SPDX-License-Identifier: GPL-2.0-only
/*
 * Following the device configuration from epoch to epoch.
 */
#include <linux/jiffies.h>
#include <linux/virtio_config.h>

#include "vhost_pci_net.h"

#define VPNET_CONFIG_TRIES	16
#define VPNET_CONFIG_RETRY	msecs_to_jiffies(10)

/* The transport does not survive a read behind the end of the structure */
#define VPNET_CONFIG_MAX	4096

static u32 cfg_read32_at(struct vpnet *vp, u32 offset)
{
	__le32 val;

	vp->vdev->config->get(vp->vdev, offset, &val, sizeof(val));
	return le32_to_cpu(val);
}

/* Not atomic, as everything here that the epoch protects */
static u64 cfg_read64_at(struct vpnet *vp, u32 offset)
{
	__le64 val;

	vp->vdev->config->get(vp->vdev, offset, &val, sizeof(val));
	return le64_to_cpu(val);
}

void vpnet_config_read_mac(struct vpnet *vp, u8 *mac)
{
	virtio_cread_bytes(vp->vdev, offsetof(struct vhost_pci_net_config, mac),
			   mac, ETH_ALEN);
}

u16 vpnet_config_read_mtu(struct vpnet *vp)
{
	u16 mtu;

	virtio_cread_le(vp->vdev, struct vhost_pci_net_config, mtu, &mtu);
	return mtu;
}

static u32 vpnet_config_read_version(struct virtio_device *vdev)
{
	u32 version;

	virtio_cread_le(vdev, struct vhost_pci_net_config, version, &version);
	return version;
}

static u32 vpnet_config_read_epoch(struct vpnet *vp)
{
	u32 epoch;

	virtio_cread_le(vp->vdev, struct vhost_pci_net_config, epoch, &epoch);
	return epoch;
}

/* Where the ring table is; it need not follow the fields known here */
struct vpnet_layout {
	u16 count;
	u16 entry;
	u32 offset;
};

static bool vpnet_config_read_layout(struct virtio_device *vdev,
				     struct vpnet_layout *to)
{
	virtio_cread_le(vdev, struct vhost_pci_net_config, ring_count,
			&to->count);
	virtio_cread_le(vdev, struct vhost_pci_net_config, ring_entry,
			&to->entry);
	virtio_cread_le(vdev, struct vhost_pci_net_config, ring_offset,
			&to->offset);

	/* more pairs than are known here are left alone */
	to->count = min_t(u16, to->count, VPNET_MAX_RINGS);
	return to->count >= VPNET_PAIR_RINGS &&
	       to->entry >= sizeof(struct vhost_pci_net_ring) &&
	       to->entry <= VPNET_CONFIG_MAX / 2 / to->count &&
	       to->offset >= sizeof(struct vhost_pci_net_config) &&
	       to->offset <= VPNET_CONFIG_MAX / 2;
}

/*
 * At probe, before anything else: does this driver know this device?
 *
 * Return: how many pairs of rings it can have, or an error.
 */
int vpnet_config_check(struct virtio_device *vdev)
{
	struct device *d = &vdev->dev;
	u32 version = vpnet_config_read_version(vdev);
	struct vpnet_layout layout;

	if (version != VHOST_PCI_NET_CONFIG_VERSION) {
		dev_err(d, "device has configuration version %u, this driver knows version %u only\n",
			version, VHOST_PCI_NET_CONFIG_VERSION);
		return -EPROTO;
	}
	if (!vpnet_config_read_layout(vdev, &layout)) {
		dev_err(d, "device has an impossible ring table: %u entries of %u bytes at %u\n",
			layout.count, layout.entry, layout.offset);
		return -EPROTO;
	}
	return layout.count / VPNET_PAIR_RINGS;
}

static void vpnet_config_read_rings(struct vpnet *vp,
				    const struct vpnet_layout *layout,
				    struct vpnet_config *cfg)
{
	u32 at = layout->offset;
	unsigned int i;

	for (i = 0; i < layout->count; i++, at += layout->entry) {
		struct vpring_area *area = &cfg->ring[i].area;

#define RING_AT(member)	(at + offsetof(struct vhost_pci_net_ring, member))
		cfg->ring[i].enabled = cfg_read32_at(vp, RING_AT(flags)) &
				       VHOST_PCI_NET_RING_ENABLED;
		/* each read is an exit to the device */
		if (!cfg->ring[i].enabled)
			continue;
		area->desc = cfg_read64_at(vp, RING_AT(desc));
		area->avail = cfg_read64_at(vp, RING_AT(avail));
		area->used = cfg_read64_at(vp, RING_AT(used));
		area->size = cfg_read32_at(vp, RING_AT(size));
#undef RING_AT
	}
}

/*
 * Return: 0; -EAGAIN when the device changes faster than we can read; -ENODEV
 * when it is not there any more and all reads give ones.
 */
static int vpnet_config_read(struct vpnet *vp, struct vpnet_config *cfg)
{
	struct vpnet_layout layout;
	unsigned int tries;
	u32 link;

	for (tries = 0; tries < VPNET_CONFIG_TRIES; tries++) {
		if (vpnet_config_read_version(vp->vdev) !=
		    VHOST_PCI_NET_CONFIG_VERSION ||
		    !vpnet_config_read_layout(vp->vdev, &layout) ||
		    layout.count < vpnet_rings(vp))
			return -ENODEV;
		/* what the interface was made for */
		layout.count = vpnet_rings(vp);

		cfg->epoch = vpnet_config_read_epoch(vp);
		virtio_cread_le(vp->vdev, struct vhost_pci_net_config, link,
				&link);
		cfg->link_up = link & VHOST_PCI_NET_LINK_UP;
		cfg->mtu = vpnet_config_read_mtu(vp);
		virtio_cread_le(vp->vdev, struct vhost_pci_net_config, features,
				&cfg->features);
		virtio_cread_le(vp->vdev, struct vhost_pci_net_config,
				window_base, &cfg->window_base);
		virtio_cread_le(vp->vdev, struct vhost_pci_net_config, announce,
				&cfg->announce);
		virtio_cread_bytes(vp->vdev,
				   offsetof(struct vhost_pci_net_config,
					    origin_mac),
				   cfg->origin_mac, ETH_ALEN);
		vpnet_config_read_rings(vp, &layout, cfg);
		if (vpnet_config_read_epoch(vp) == cfg->epoch)
			return 0;
	}
	return -EAGAIN;
}

/*
 * The only place that changes what is adopted.  A work item never runs twice
 * at a time, and one that is queued while it runs is run again, so no change
 * is missed.  Nothing here may wait for the RTNL: the origin waits for the
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
	/* before: what breaks while we read may have broken by a withdrawal */
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

	/* before the acknowledgment, which lets the device unmap them */
	vpnet_rings_off(vp);
	vp->epoch = cfg->epoch;
	vp->adopted = true;
	virtio_cwrite_le(vp->vdev, struct vhost_pci_net_config, ack,
			 &cfg->epoch);
	netdev_dbg(vp->dev, "epoch %u, link %s, features %#llx, mtu %u\n",
		   cfg->epoch, cfg->link_up ? "up" : "down", cfg->features,
		   cfg->mtu);

	/*
	 * A newer epoch may be there already, but the device keeps what this
	 * one describes until that is acknowledged, too.
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

/* From any context: compare what is in use with what the device says */
void vpnet_config_schedule(struct vpnet *vp)
{
	mod_delayed_work(system_wq, &vp->config_work, 0);
}

/*
 * Let go of everything, for good.  The virtio core calls config_changed no
 * more, but a ring that breaks can queue the work until the rings are off.
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
