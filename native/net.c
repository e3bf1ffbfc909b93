/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-pci-net-device: the virtio half of a vhost-pci-net.
 *
 * One virtqueue for each ring of the origin.  It carries no data: the driver
 * gives one buffer, which is completed at once and never taken back, so that
 * the guest's virtio core calls the driver at each interrupt of the queue.
 */
#include "qemu/osdep.h"
#include "hw/qdev-properties.h"
#include "hw/virtio/virtio.h"
#include "vhost-pci.h"

/* The driver needs one entry */
#define QUEUE_SIZE 2

static void net_handle_output(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtQueueElement *elem;

    while ((elem = virtqueue_pop(vq, sizeof(*elem)))) {
        virtqueue_push(vq, elem, 0);
        g_free(elem);
        virtio_notify(vdev, vq);
    }
}

static void net_get_config(VirtIODevice *vdev, uint8_t *config)
{
    VhostPciNet *n = VHOST_PCI_NET(vdev);

    n->api->device_read_config(n->object, config, n->config_size);
}

static void net_set_config(VirtIODevice *vdev, const uint8_t *config)
{
    VhostPciNet *n = VHOST_PCI_NET(vdev);

    n->api->device_write_config(n->object, config, n->config_size);
}

static uint64_t net_get_features(VirtIODevice *vdev, uint64_t features,
                                 Error **errp)
{
    /* Nothing that is about the data of the local queues */
    return features & (BIT_ULL(VIRTIO_F_VERSION_1) |
                       BIT_ULL(VIRTIO_F_IOMMU_PLATFORM));
}

static void net_set_status(VirtIODevice *vdev, uint8_t status)
{
    VhostPciNet *n = VHOST_PCI_NET(vdev);
    PCIDevice *pci = PCI_DEVICE(qdev_get_parent_bus(DEVICE(vdev))->parent);

    vhost_pci_net_driver_ok(pci, status & VIRTIO_CONFIG_S_DRIVER_OK);
    n->api->device_set_status(n->object, status,
                              pci->io_regions[VHOST_PCI_WINDOW_BAR].addr);
}

static void net_realize(DeviceState *dev, Error **errp)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    VhostPciNet *n = VHOST_PCI_NET(dev);

    if (!n->api) {
        error_setg(errp, "%s is a part of vhost-pci-net", TYPE_VHOST_PCI_NET);
        return;
    }
    virtio_init(vdev, VIRTIO_ID_VHOST_PCI_NET, n->config_size);
    for (uint32_t i = 0; i < n->rings; i++) {
        virtio_add_queue(vdev, QUEUE_SIZE, net_handle_output);
    }
}

static void net_unrealize(DeviceState *dev)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    VhostPciNet *n = VHOST_PCI_NET(dev);

    for (uint32_t i = 0; i < n->rings; i++) {
        virtio_del_queue(vdev, i);
    }
    virtio_cleanup(vdev);
}

static void net_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_CLASS(klass);

    set_bit(DEVICE_CATEGORY_NETWORK, dc->categories);
    vdc->realize = net_realize;
    vdc->unrealize = net_unrealize;
    vdc->get_config = net_get_config;
    vdc->set_config = net_set_config;
    vdc->get_features = net_get_features;
    vdc->set_status = net_set_status;
}

static const TypeInfo net_info = {
    .name = TYPE_VHOST_PCI_NET,
    .parent = TYPE_VIRTIO_DEVICE,
    .instance_size = sizeof(VhostPciNet),
    .class_init = net_class_init,
};

static void net_register_types(void)
{
    type_register_static(&net_info);
}

type_init(net_register_types)
