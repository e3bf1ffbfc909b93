/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-pci-net: KVM turns a kick into an MSI-X message by itself.
 *
 * The guest can reconfigure interrupts at any time: DRIVER_OK, MSI-X enable,
 * function mask, the mask of a vector, the vector of a queue.  Each change
 * recomputes everything from the current state, so the order of events does
 * not matter.
 */
#include "qemu/osdep.h"
#include "hw/pci/msix.h"
#include "standard-headers/linux/virtio_pci.h"
#include "sysemu/kvm.h"
#include "net-pci.h"
#include "trace.h"

/* The vector that KVM may raise for this ring, else VIRTIO_NO_VECTOR */
static uint16_t wanted_vector(VhostPciNetPCI *p, uint32_t ring)
{
    PCIDevice *pci = PCI_DEVICE(p);
    uint16_t vector = virtio_queue_vector(VIRTIO_DEVICE(&p->vdev), ring);

    if (!p->watching || !p->driver_ok || !p->ring[ring].kick_bound ||
        !msix_enabled(pci) || vector >= msix_nr_vectors_allocated(pci) ||
        msix_is_masked(pci, vector)) {
        return VIRTIO_NO_VECTOR;
    }
    return vector;
}

/*
 * Switching between KVM and the main loop loses no kick: KVM polls the eventfd
 * when it is assigned, and the main loop's handler is level-triggered.
 */
static bool irqfd_add(VhostPciNetPCI *p, uint32_t ring, uint16_t vector)
{
    VhostPciNetRing *r = &p->ring[ring];

    event_notifier_set_handler(&r->kick, NULL);
    r->polled = false;
    /* Fails if the origin uses one eventfd for two rings */
    if (kvm_irqchip_add_irqfd_notifier_gsi(kvm_state, &r->kick, NULL,
                                           r->virq) < 0) {
        kvm_irqchip_release_virq(kvm_state, r->virq);
        return false;
    }
    r->irqfd = true;
    r->irqfd_vector = vector;
    trace_vhost_pci_irqfd(p, ring, vector, true);
    return true;
}

static void irqfd_del(VhostPciNetPCI *p, uint32_t ring)
{
    VhostPciNetRing *r = &p->ring[ring];

    kvm_irqchip_remove_irqfd_notifier_gsi(kvm_state, &r->kick, r->virq);
    kvm_irqchip_release_virq(kvm_state, r->virq);
    r->irqfd = false;
    trace_vhost_pci_irqfd(p, ring, r->irqfd_vector, false);
}

/* Commits KVM's routes once for all rings */
static void update(VhostPciNetPCI *p, uint32_t first, uint32_t count)
{
    KVMRouteChange change = kvm_irqchip_begin_route_changes(kvm_state);
    uint64_t changed = 0;

    QEMU_BUILD_BUG_ON(VHOST_PCI_MAX_RINGS > 64);
    for (uint32_t i = first; i < first + count; i++) {
        VhostPciNetRing *r = &p->ring[i];
        uint16_t vector = wanted_vector(p, i);

        if (!r->kick_bound || (r->irqfd && r->irqfd_vector == vector) ||
            (r->polled && vector == VIRTIO_NO_VECTOR)) {
            continue;
        }
        if (r->irqfd) {
            irqfd_del(p, i);
        }
        r->virq = vector == VIRTIO_NO_VECTOR ? -1 :
                  kvm_irqchip_add_msi_route(&change, vector, PCI_DEVICE(p));
        changed |= BIT_ULL(i);
    }
    kvm_irqchip_commit_route_changes(&change);
    for (uint32_t i = first; i < first + count; i++) {
        VhostPciNetRing *r = &p->ring[i];

        if (changed & BIT_ULL(i) &&
            (r->virq < 0 || !irqfd_add(p, i, wanted_vector(p, i)))) {
            event_notifier_set_handler(&r->kick, vhost_pci_net_kick);
            r->polled = true;
        }
    }
}

void vhost_pci_irqfd_update(VhostPciNetPCI *p, uint32_t ring)
{
    update(p, ring, 1);
}

void vhost_pci_irqfd_update_all(VhostPciNetPCI *p)
{
    update(p, 0, p->plan.rings);
}

void vhost_pci_irqfd_release(VhostPciNetPCI *p, uint32_t ring)
{
    if (p->ring[ring].irqfd) {
        irqfd_del(p, ring);
    } else {
        event_notifier_set_handler(&p->ring[ring].kick, NULL);
        p->ring[ring].polled = false;
    }
}

static int vector_unmasked(PCIDevice *pci, unsigned vector, MSIMessage msg)
{
    vhost_pci_irqfd_update_all(VHOST_PCI_NET_PCI(pci));
    return 0;
}

static void vector_masked(PCIDevice *pci, unsigned vector)
{
    vhost_pci_irqfd_update_all(VHOST_PCI_NET_PCI(pci));
}

/* Disabling MSI-X calls no vector notifier */
static void config_write(PCIDevice *pci, uint32_t addr, uint32_t val, int len)
{
    VhostPciNetPCI *p = VHOST_PCI_NET_PCI(pci);

    p->config_write(pci, addr, val, len);
    vhost_pci_irqfd_update_all(p);
}

/*
 * Nor does assigning a vector to a queue, so we overlay that register.  Call
 * the ops directly: QEMU refuses a device that accesses its own region.
 */
static uint64_t queue_vector_read(void *opaque, hwaddr addr, unsigned size)
{
    MemoryRegion *common = &VHOST_PCI_NET_PCI(opaque)->parent_obj.common.mr;

    return common->ops->read(common->opaque, VIRTIO_PCI_COMMON_Q_MSIX + addr,
                             size);
}

static void queue_vector_write(void *opaque, hwaddr addr, uint64_t val,
                               unsigned size)
{
    MemoryRegion *common = &VHOST_PCI_NET_PCI(opaque)->parent_obj.common.mr;

    common->ops->write(common->opaque, VIRTIO_PCI_COMMON_Q_MSIX + addr, val,
                       size);
    vhost_pci_irqfd_update_all(opaque);
}

static const MemoryRegionOps queue_vector_ops = {
    .read = queue_vector_read,
    .write = queue_vector_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 2 },
    .impl = { .min_access_size = 1, .max_access_size = 2 },
};

void vhost_pci_irqfd_realize(VhostPciNetPCI *p)
{
    VirtIOPCIProxy *proxy = &p->parent_obj;
    PCIDevice *pci = &proxy->pci_dev;

    if (!kvm_msi_via_irqfd_enabled() || !msix_present(pci)) {
        return;
    }
    p->config_write = pci->config_write;
    pci->config_write = config_write;
    memory_region_init_io(&p->queue_vector, OBJECT(p), &queue_vector_ops, p,
                          "vhost-pci-queue-vector", sizeof(uint16_t));
    memory_region_add_subregion_overlap(&proxy->modern_bar,
                                        proxy->common.offset +
                                        VIRTIO_PCI_COMMON_Q_MSIX,
                                        &p->queue_vector, 1);
    p->watching = true;
    /* virtio-pci installs its own only for devices with a vhost back end */
    msix_set_vector_notifiers(pci, vector_unmasked, vector_masked, NULL);
}

void vhost_pci_irqfd_unrealize(VhostPciNetPCI *p)
{
    PCIDevice *pci = PCI_DEVICE(p);

    if (!p->watching) {
        return;
    }
    p->watching = false;
    vhost_pci_irqfd_update_all(p);
    msix_unset_vector_notifiers(pci);
    memory_region_del_subregion(&p->parent_obj.modern_bar, &p->queue_vector);
    pci->config_write = p->config_write;
}
