/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-pci-net: the PCI half.  BAR 0 has the doorbells, BAR 2 the window;
 * virtio-pci keeps its own structures in BAR 1 and 4.
 */
#include "qemu/osdep.h"
#include <sys/uio.h>
#include "qemu/event_notifier_shared.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "exec/ramblock.h"
#include "hw/pci/pci.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "standard-headers/linux/virtio_pci.h"
#include "sysemu/kvm.h"
#include "net-pci.h"
#include "trace.h"

#define DOORBELL_BAR_SIZE 4096

static void (*parent_unrealize)(DeviceState *dev);

static bool ring_interrupt(VhostPciNetPCI *p, uint32_t ring)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(&p->vdev);
    BusState *bus = qdev_get_parent_bus(DEVICE(vdev));

    if (!(vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
        return false;
    }
    /* Not virtio_notify(): the used index of the local queue never moves */
    qatomic_or(&vdev->isr, 1);
    VIRTIO_BUS_GET_CLASS(bus)->notify(bus->parent,
                                      virtio_queue_vector(vdev, ring));
    p->ring[ring].counters.interrupts++;
    return true;
}

void vhost_pci_net_kick(EventNotifier *e)
{
    VhostPciNetRing *r = container_of(e, VhostPciNetRing, kick);
    uint32_t ring = r - r->p->ring;
    uint64_t kicks = 0;
    struct iovec iov = { &kicks, sizeof(kicks) };
    bool delivered;

    /*
     * The origin can clear O_NONBLOCK at any time, because the flag belongs to
     * the open file that both sides share; RWF_NOWAIT is ours alone.
     */
    if (preadv2(event_notifier_get_fd(e), &iov, 1, -1, RWF_NOWAIT) !=
        sizeof(kicks)) {
        return;
    }
    r->counters.kicks += kicks;
    delivered = ring_interrupt(r->p, ring);
    trace_vhost_pci_kick(r->p, ring, kicks, delivered);
}

static uint64_t doorbell_read(void *opaque, hwaddr addr, unsigned size)
{
    return 0;
}

/* Without KVM; with it the kernel signals the eventfd */
static void doorbell_write(void *opaque, hwaddr addr, uint64_t val,
                           unsigned size)
{
    VhostPciNetPCI *p = opaque;
    uint32_t ring = addr / VHOST_PCI_DOORBELL_STRIDE;
    VhostPciNetRing *r;

    if (ring >= p->plan.rings || addr % VHOST_PCI_DOORBELL_STRIDE) {
        return;
    }
    r = &p->ring[ring];
    if (!r->call_bound) {
        return;
    }
    r->counters.doorbells++;
    trace_vhost_pci_doorbell(p, ring);
    event_notifier_set_nowait(&r->call);
}

static const MemoryRegionOps doorbell_ops = {
    .read = doorbell_read,
    .write = doorbell_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

/* Who delivers it is settled afterwards */
static void bind_kick(VhostPciNetRing *r, uint32_t ring, int fd)
{
    if (r->kick_bound) {
        vhost_pci_irqfd_release(r->p, ring);
        r->kick_bound = false;
    }
    if (fd >= 0) {
        event_notifier_init_fd(&r->kick, fd);
        r->kick_bound = true;
    }
}

/*
 * The memory core keeps the notifier and not its descriptor.  Another one must
 * not come in the transaction in which the last has gone, or nothing changes.
 */
static void unbind_call(VhostPciNetRing *r, uint32_t ring)
{
    if (r->call_bound) {
        if (kvm_eventfds_enabled()) {
            memory_region_del_eventfd(&r->p->doorbells,
                                      ring * VHOST_PCI_DOORBELL_STRIDE, 4,
                                      false, 0, &r->call);
        }
        r->call_bound = false;
    }
}

static void bind_call(VhostPciNetRing *r, uint32_t ring, int fd)
{
    if (fd >= 0) {
        event_notifier_init_fd(&r->call, fd);
        if (kvm_eventfds_enabled()) {
            memory_region_add_eventfd(&r->p->doorbells,
                                      ring * VHOST_PCI_DOORBELL_STRIDE, 4,
                                      false, 0, &r->call);
        }
        r->call_bound = true;
    }
}

int vhost_pci_net_bind(void *device, uint32_t ring, uint32_t which, int32_t fd)
{
    VhostPciNetPCI *p = device;

    if (ring >= p->plan.rings) {
        return -EINVAL;
    }
    if (which == VHOST_PCI_RING_KICK) {
        bind_kick(&p->ring[ring], ring, fd);
        vhost_pci_irqfd_update(p, ring);
    } else {
        unbind_call(&p->ring[ring], ring);
        bind_call(&p->ring[ring], ring, fd);
        if (fd >= 0) {
            /* The doorbell may have rung the old one last, or none */
            event_notifier_set_nowait(&p->ring[ring].call);
        }
    }
    return 0;
}

/* Each transaction of the memory core is a walk over all address spaces */
int vhost_pci_net_bind_rings(void *device,
                             const struct vhost_pci_ring_files *files,
                             uint32_t count)
{
    VhostPciNetPCI *p = device;
    int64_t start = qemu_clock_get_us(QEMU_CLOCK_REALTIME);

    if (count > p->plan.rings) {
        return -EINVAL;
    }
    memory_region_transaction_begin();
    for (uint32_t i = 0; i < count; i++) {
        if (files[i].kick != VHOST_PCI_RING_FD_KEEP) {
            bind_kick(&p->ring[i], i, files[i].kick);
        }
        if (files[i].call != VHOST_PCI_RING_FD_KEEP) {
            unbind_call(&p->ring[i], i);
        }
    }
    memory_region_transaction_commit();
    vhost_pci_irqfd_update_all(p);
    memory_region_transaction_begin();
    for (uint32_t i = 0; i < count; i++) {
        bind_call(&p->ring[i], i, files[i].call);
    }
    memory_region_transaction_commit();
    trace_vhost_pci_bind_rings(p, count,
                               qemu_clock_get_us(QEMU_CLOCK_REALTIME) - start);
    return 0;
}

void vhost_pci_net_raise(void *device, uint32_t ring)
{
    VhostPciNetPCI *p = device;

    if (ring < p->plan.rings) {
        ring_interrupt(p, ring);
    }
}

void vhost_pci_net_counters(void *device, uint32_t ring,
                            struct vhost_pci_ring_counters *out)
{
    VhostPciNetPCI *p = device;

    if (ring < p->plan.rings) {
        *out = p->ring[ring].counters;
    }
}

uint32_t vhost_pci_net_take_fault(void *device)
{
    VhostPciNetPCI *p = device;

    return p->fault && vhost_pci_fault_take(p->fault);
}

void vhost_pci_net_config_changed(void *device)
{
    VhostPciNetPCI *p = device;

    virtio_notify_config(VIRTIO_DEVICE(&p->vdev));
}

void vhost_pci_net_driver_ok(void *device, bool driver_ok)
{
    VhostPciNetPCI *p = device;

    p->driver_ok = driver_ok;
    vhost_pci_irqfd_update_all(p);
}

int vhost_pci_net_unplug(void *device, struct dotnet_error *err)
{
    Error *local_err = NULL;

    qdev_unplug(DEVICE(device), &local_err);
    return local_err ? dotnet_error_get(err, local_err) : 0;
}

/* virtio 1.2, 4.1.4.7: shared memory region 0 is the whole of BAR 2 */
static bool net_pci_add_shm_cap(PCIDevice *pci, uint64_t size, Error **errp)
{
    struct virtio_pci_cap64 cap = {
        .cap.cap_len = sizeof(cap),
        .cap.cfg_type = VIRTIO_PCI_CAP_SHARED_MEMORY_CFG,
        .cap.bar = VHOST_PCI_WINDOW_BAR,
        .cap.id = VHOST_PCI_WINDOW_SHMID,
        .cap.length = cpu_to_le32(size),
        .length_hi = cpu_to_le32(size >> 32),
    };
    int pos = pci_add_capability(pci, PCI_CAP_ID_VNDR, 0, cap.cap.cap_len,
                                 errp);

    if (pos < 0) {
        return false;
    }
    memcpy(pci->config + pos + PCI_CAP_FLAGS, &cap.cap.cap_len,
           cap.cap.cap_len - PCI_CAP_FLAGS);
    return true;
}

static void net_pci_detach(VhostPciNetPCI *p)
{
    if (p->attached) {
        p->attached = false;
        p->api->device_detach(p->object);
        vhost_pci_own_server_close(p);
    }
}

/* There from the start, and not for one origin */
static bool net_pci_create(VhostPciNetPCI *p, Error **errp)
{
    struct vhost_pci_static_config config = {
        .id = DEVICE(p)->id,
        .peer_name = p->peer_name,
        .bus = qdev_get_parent_bus(DEVICE(p))->name,
        .slot = PCI_SLOT(PCI_DEVICE(p)->devfn),
        .window_size = p->window_size,
        .queue_pairs = p->queues,
    };
    struct dotnet_error err = { 0 };
    uint64_t server;

    server = p->chr.chr ? vhost_pci_own_server_open(p, errp) :
             vhost_pci_server_find(p->server, errp);
    if (!server) {
        return false;
    }
    memcpy(config.mac, p->mac.a, sizeof(config.mac));
    if (p->api->device_create(server, &config, &p->object, &err) < 0) {
        dotnet_error_set(errp, &err);
        vhost_pci_own_server_close(p);
        return false;
    }
    return true;
}

static bool net_pci_is_static(VhostPciNetPCI *p)
{
    return p->server || p->chr.chr;
}

static void net_pci_realize(VirtIOPCIProxy *proxy, Error **errp)
{
    VhostPciNetPCI *p = VHOST_PCI_NET_PCI(proxy);
    PCIDevice *pci = &proxy->pci_dev;
    struct dotnet_error err = { 0 };
    ERRP_GUARD();

    if (p->server && p->chr.chr) {
        error_setg(errp, "server= and chardev= exclude each other");
        return;
    }
    if (!p->object && !net_pci_is_static(p)) {
        error_setg(errp, "vhost-pci-net devices are plugged by a "
                   "vhost-pci-server when an origin connects; one that is "
                   "there from the start needs server= or chardev=");
        error_append_hint(errp, "Use -chardev socket,id=ID,server=on,wait=off,"
                          "connections=32,path=PATH "
                          "-vhost-pci-server socket,chardev=ID\n");
        return;
    }
    p->api = vhost_pci_library(errp);
    if (!p->api) {
        return;
    }
    p->window_allowed = vhost_pci_window_allowed(errp);
    if (!p->window_allowed) {
        return;
    }
    if (net_pci_is_static(p) && !net_pci_create(p, errp)) {
        return;
    }
    if (p->api->device_attach(p->object, p, &p->plan, &err) < 0) {
        dotnet_error_set(errp, &err);
        if (net_pci_is_static(p)) {
            p->api->device_release(p->object);
        }
        p->object = 0;
        vhost_pci_own_server_close(p);
        return;
    }
    p->attached = true;
    p->fault = vhost_pci_fault_add(p->object, p->plan.window,
                                   p->plan.window_size, errp);
    if (!p->fault) {
        net_pci_detach(p);
        return;
    }
    if (p->plan.rings > VHOST_PCI_MAX_RINGS) {
        error_setg(errp, "libvhostpci.so wants %u rings, %u is the most",
                   p->plan.rings, VHOST_PCI_MAX_RINGS);
        net_pci_detach(p);
        return;
    }
    for (uint32_t i = 0; i < p->plan.rings; i++) {
        p->ring[i].p = p;
    }

    memory_region_init_io(&p->doorbells, OBJECT(p), &doorbell_ops, p,
                          "vhost-pci-doorbells", DOORBELL_BAR_SIZE);
    pci_register_bar(pci, VHOST_PCI_DOORBELL_BAR,
                     PCI_BASE_ADDRESS_SPACE_MEMORY, &p->doorbells);
    /*
     * Plain RAM without an fd: changing what it shows is an mmap() that no
     * memory listener sees, and vhost-user devices of this VM do not hand the
     * origin's memory on.  Protected, VFIO does not pin it.  Nonvolatile keeps
     * it out of guest dumps.
     */
    memory_region_init_ram_ptr(&p->window, OBJECT(p), "vhost-pci-window",
                               p->plan.window_size, p->plan.window);
    p->window.ram_block->flags |= RAM_PROTECTED;
    memory_region_set_nonvolatile(&p->window, true);
    pci_register_bar(pci, VHOST_PCI_WINDOW_BAR,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_PREFETCH |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &p->window);

    virtio_pci_force_virtio_1(proxy);
    if (proxy->nvectors == DEV_NVECTORS_UNSPECIFIED) {
        proxy->nvectors = p->plan.rings + 1;
    }
    p->vdev.api = p->api;
    p->vdev.object = p->object;
    p->vdev.rings = p->plan.rings;
    p->vdev.config_size = p->plan.config_size;
    if (!qdev_realize(DEVICE(&p->vdev), BUS(&proxy->bus), errp) ||
        !net_pci_add_shm_cap(pci, p->plan.window_size, errp)) {
        net_pci_detach(p);
        return;
    }
    vhost_pci_irqfd_realize(p);
    p->api->device_ready(p->object);
    p->api->device_set_link(p->object, !p->link_off);
}

static void net_pci_unrealize(DeviceState *dev)
{
    VhostPciNetPCI *p = VHOST_PCI_NET_PCI(dev);

    net_pci_detach(p);
    vhost_pci_irqfd_unrealize(p);
    parent_unrealize(dev);
}

/* No FlatView refers to the window any more */
static void net_pci_finalize(Object *obj)
{
    VhostPciNetPCI *p = VHOST_PCI_NET_PCI(obj);

    if (p->fault) {
        vhost_pci_fault_remove(p->fault);
    }
    if (p->api && p->object) {
        p->api->device_release(p->object);
    }
    if (p->window_allowed) {
        vhost_pci_window_unneeded();
    }
}

static bool net_pci_get_link(Object *obj, Error **errp)
{
    return !VHOST_PCI_NET_PCI(obj)->link_off;
}

/* Not a qdev property: those cannot be changed once the device is realized */
static void net_pci_set_link(Object *obj, bool up, Error **errp)
{
    VhostPciNetPCI *p = VHOST_PCI_NET_PCI(obj);

    p->link_off = !up;
    if (p->attached) {
        p->api->device_set_link(p->object, up);
    }
}

static Property net_pci_properties[] = {
    DEFINE_PROP_UINT64("x-object", VhostPciNetPCI, object, 0),
    DEFINE_PROP_STRING("server", VhostPciNetPCI, server),
    DEFINE_PROP_CHR("chardev", VhostPciNetPCI, chr),
    DEFINE_PROP_BOOL("allow-unsealed", VhostPciNetPCI, allow_unsealed, false),
    DEFINE_PROP_STRING("allow-uid", VhostPciNetPCI, allow_uid),
    DEFINE_PROP_STRING("peer-name", VhostPciNetPCI, peer_name),
    DEFINE_PROP_SIZE("window-size", VhostPciNetPCI, window_size, 0),
    DEFINE_PROP_UINT16("queues", VhostPciNetPCI, queues, 1),
    DEFINE_PROP_MACADDR("mac", VhostPciNetPCI, mac),
    DEFINE_PROP_UINT32("vectors", VirtIOPCIProxy, nvectors,
                       DEV_NVECTORS_UNSPECIFIED),
    DEFINE_PROP_END_OF_LIST(),
};

static void net_pci_describe(ObjectClass *klass)
{
    static const char *const texts[][2] = {
        { "server", "static device of the vhost-pci-server with this id" },
        { "chardev", "static device with a UNIX server socket of its own" },
        { "allow-unsealed", "with chardev: take memory that can shrink" },
        { "allow-uid", "with chardev: users who may connect, as 0:1000" },
        { "peer-name", "take only origins that call their device this" },
        { "window-size", "what the window can show, a power of two from 4G" },
        { "queues", "the most queue pairs that an origin may have" },
        { "mac", "of the guest's interface (default: made from id)" },
        { "link", "off: no link, on both ends; can be changed at any time" },
        { "x-object", "internal: set when an origin connects" },
    };

    for (int i = 0; i < ARRAY_SIZE(texts); i++) {
        object_class_property_set_description(klass, texts[i][0],
                                              texts[i][1]);
    }
}

static void net_pci_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);

    VIRTIO_PCI_CLASS(klass)->realize = net_pci_realize;
    PCI_DEVICE_CLASS(klass)->class_id = PCI_CLASS_NETWORK_OTHER;
    dc->desc = "vhost-pci network device: another VM's virtio-net";
    device_class_set_parent_unrealize(dc, net_pci_unrealize,
                                      &parent_unrealize);
    device_class_set_props(dc, net_pci_properties);
    object_class_property_add_bool(klass, "link", net_pci_get_link,
                                   net_pci_set_link);
    net_pci_describe(klass);
    set_bit(DEVICE_CATEGORY_NETWORK, dc->categories);
}

static void net_pci_instance_init(Object *obj)
{
    VhostPciNetPCI *p = VHOST_PCI_NET_PCI(obj);

    virtio_instance_init_common(obj, &p->vdev, sizeof(p->vdev),
                                TYPE_VHOST_PCI_NET);
}

static const VirtioPCIDeviceTypeInfo net_pci_info = {
    .base_name = TYPE_VHOST_PCI_NET_PCI,
    .generic_name = "vhost-pci-net",
    .instance_size = sizeof(VhostPciNetPCI),
    .instance_init = net_pci_instance_init,
    .instance_finalize = net_pci_finalize,
    .class_init = net_pci_class_init,
};

static void net_pci_register_types(void)
{
    virtio_pci_types_register(&net_pci_info);
}

type_init(net_pci_register_types)
