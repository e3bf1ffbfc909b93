/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The origin's side: a virtio-net whose rings are served by another VM.
 *
 * To QEMU's vhost core this is a back end like vhost-user: the core tracks
 * the memory map, starts and stops rings, and switches notifiers.  Its calls
 * are passed on to the library, which talks to the server.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/uuid.h"
#include "chardev/char-socket.h"
#include "hw/pci/msix.h"
#include "hw/virtio/vhost.h"
#include "hw/virtio/virtio-net.h"
#include "linux-headers/linux/vhost.h"
#include "net/vhost_net.h"
#include "sysemu/sysemu.h"
#include "client.h"
#include "client-memory.h"
#include "vhost-pci.h"

/* More than any machine has; the library merges them and has its own limit */
#define CLIENT_MAX_REGIONS 64

/* Room for the rings of a vhost-pci-net */
#define CLIENT_MAX_PAIRS (VHOST_PCI_MAX_RINGS / 2)

/* One connection for all pairs of the device */
typedef struct VhostPciClient {
    VirtIODevice *vdev;
    uint64_t host_features;     /* as realized */
    CharBackend *chr;
    const struct vhost_pci_api *api;
    uint64_t object;
    QEMUBH *disconnect_bh;
    QEMUBH *link_bh;
    QEMUBH *driver_bh;
    NetClientState *first;
    uint32_t pairs;             /* created so far */
    VhostPciLeftOut *left_out;
} VhostPciClient;

typedef struct VhostPciClientPair {
    NetClientState nc;
    VhostPciClient *c;
    struct vhost_net *net;
} VhostPciClientPair;

/* Without a server the core keeps the state; it is sent later */
static int client_result(int r)
{
    return r == -ENOTCONN ? 0 : r;
}

/* The core asks each pair; settings of the connection are sent once */
static bool is_first_pair(struct vhost_dev *dev)
{
    return dev->vq_index == 0;
}

static int op_backend_init(struct vhost_dev *dev, void *opaque, Error **errp)
{
    VhostPciClient *c = opaque;

    dev->opaque = c;
    /* The vhost core installs this blocker */
    error_setg(&dev->migration_blocker, "virtio-net '%s' shares this VM's "
               "memory with another VM (vhost-pci-client) and cannot be "
               "migrated", c->first->name);
    return 0;
}

static int op_backend_cleanup(struct vhost_dev *dev)
{
    return 0;
}

static int op_memslots_limit(struct vhost_dev *dev)
{
    return CLIENT_MAX_REGIONS;
}

static int op_set_owner(struct vhost_dev *dev)
{
    return 0;
}

static int op_get_features(struct vhost_dev *dev, uint64_t *features)
{
    VhostPciClient *c = dev->opaque;

    *features = c->api->client_features(c->object);
    return 0;
}

/* What the driver has set through its control queue */
static int client_tell_state(VhostPciClient *c)
{
    VirtIONet *n = VIRTIO_NET(c->vdev);

    return client_result(c->api->client_driver_state(c->object,
                                                     n->curr_guest_offloads,
                                                     n->mac));
}

static int op_set_features(struct vhost_dev *dev, uint64_t features)
{
    VhostPciClient *c = dev->opaque;
    int r;

    if (!is_first_pair(dev)) {
        return 0;
    }
    r = client_result(c->api->client_set_features(c->object, features));
    return r < 0 ? r : client_tell_state(c);
}

static bool op_section_filter(struct vhost_dev *dev, MemoryRegionSection *s)
{
    VhostPciClient *c = dev->opaque;

    return vhost_pci_memory_is_shared(s->mr, c->left_out);
}

static int op_set_mem_table(struct vhost_dev *dev, struct vhost_memory *mem)
{
    VhostPciClient *c = dev->opaque;
    struct vhost_pci_memory_region regions[CLIENT_MAX_REGIONS];
    uint32_t count = MIN(mem->nregions, CLIENT_MAX_REGIONS);

    if (!is_first_pair(dev)) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        vhost_pci_memory_describe(&mem->regions[i], &regions[i]);
    }
    return client_result(c->api->client_set_memory(c->object, regions, count));
}

static int op_set_vring_num(struct vhost_dev *dev, struct vhost_vring_state *s)
{
    VhostPciClient *c = dev->opaque;

    return client_result(c->api->client_set_vring_num(c->object, s->index,
                                                      s->num));
}

static int op_set_vring_base(struct vhost_dev *dev,
                             struct vhost_vring_state *s)
{
    VhostPciClient *c = dev->opaque;

    return client_result(c->api->client_set_vring_base(c->object, s->index,
                                                       s->num));
}

/* @a has host addresses; the server wants guest-physical ones */
static int op_set_vring_addr(struct vhost_dev *dev, struct vhost_vring_addr *a)
{
    VhostPciClient *c = dev->opaque;
    struct vhost_virtqueue *vq = &dev->vqs[a->index - dev->vq_index];
    struct vhost_pci_vring vring = {
        .desc = vq->desc_phys,
        .avail = vq->avail_phys,
        .used = vq->used_phys,
        .index = a->index,
    };

    return client_result(c->api->client_set_vring_addr(c->object, &vring));
}

static int op_set_vring_fd(struct vhost_dev *dev, struct vhost_vring_file *f,
                           uint32_t which)
{
    VhostPciClient *c = dev->opaque;

    return client_result(c->api->client_set_vring_fd(c->object, f->index,
                                                     which, f->fd));
}

static int op_set_vring_kick(struct vhost_dev *dev, struct vhost_vring_file *f)
{
    return op_set_vring_fd(dev, f, VHOST_PCI_RING_KICK);
}

/*
 * If a ring starts while INTx is disabled, the core takes its eventfd away and
 * does not restore it when INTx is enabled.
 */
static int op_set_vring_call(struct vhost_dev *dev, struct vhost_vring_file *f)
{
    VhostPciClient *c = dev->opaque;
    DeviceState *parent = qdev_get_parent_bus(DEVICE(c->vdev))->parent;

    if (f->fd < 0 && !msix_enabled(PCI_DEVICE(parent))) {
        return 0;
    }
    return op_set_vring_fd(dev, f, VHOST_PCI_RING_CALL);
}

static int op_get_vring_base(struct vhost_dev *dev, struct vhost_vring_state *s)
{
    VhostPciClient *c = dev->opaque;
    struct vhost_virtqueue *vq = &dev->vqs[s->index - dev->vq_index];
    int64_t base = c->api->client_get_vring_base(c->object, s->index, vq->num,
                                                 vq->desc, vq->used);

    s->num = base < 0 ? 0 : base;
    return 0;
}

static int op_get_vq_index(struct vhost_dev *dev, int idx)
{
    return idx;
}

/* GET_VRING_BASE stops a ring, and waits for the server */
static int op_set_vring_enable(struct vhost_dev *dev, int enable)
{
    VhostPciClient *c = dev->opaque;

    for (int i = 0; i < dev->nvqs; i++) {
        int r = client_result(c->api->client_enable(c->object,
                                                    dev->vq_index + i, enable));
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

const VhostOps vhost_pci_ops = {
    .backend_type = VHOST_BACKEND_TYPE_VHOST_PCI,
    .vhost_backend_init = op_backend_init,
    .vhost_backend_cleanup = op_backend_cleanup,
    .vhost_backend_memslots_limit = op_memslots_limit,
    .vhost_backend_mem_section_filter = op_section_filter,
    .vhost_set_owner = op_set_owner,
    .vhost_get_features = op_get_features,
    .vhost_set_features = op_set_features,
    .vhost_set_mem_table = op_set_mem_table,
    .vhost_set_vring_num = op_set_vring_num,
    .vhost_set_vring_base = op_set_vring_base,
    .vhost_set_vring_addr = op_set_vring_addr,
    .vhost_set_vring_kick = op_set_vring_kick,
    .vhost_set_vring_call = op_set_vring_call,
    .vhost_get_vring_base = op_get_vring_base,
    .vhost_get_vq_index = op_get_vq_index,
    .vhost_set_vring_enable = op_set_vring_enable,
};

static void client_event(void *opaque, QEMUChrEvent event)
{
    VhostPciClient *c = opaque;

    if (event == CHR_EVENT_OPENED) {
        c->api->client_connected(c->object,
                                 SOCKET_CHARDEV(c->chr->chr)->sioc->fd);
    } else if (event == CHR_EVENT_CLOSED) {
        c->api->client_disconnected(c->object);
    }
}

static void client_disconnect_bh(void *opaque)
{
    VhostPciClient *c = opaque;

    qemu_chr_fe_disconnect(c->chr);
}

void vhost_pci_client_disconnect(void *client)
{
    VhostPciClient *c = client;

    qemu_bh_schedule(c->disconnect_bh);
}

void vhost_pci_client_link(void *client, uint32_t up)
{
    VhostPciClient *c = client;

    NICPeers *peers = &VIRTIO_NET(c->vdev)->nic_conf.peers;
    NetClientState *nic = c->first->peer;

    /* Like set_link, but that looks devices up by name, which may be shared */
    for (int i = 0; i < peers->queues; i++) {
        peers->ncs[i]->link_down = !up;
        if (peers->ncs[i]->peer) {
            peers->ncs[i]->peer->link_down = !up;
        }
    }
    if (nic && nic->info->link_status_changed) {
        nic->info->link_status_changed(nic);
    }
}

uint64_t vhost_pci_client_driver_features(void *client)
{
    VhostPciClient *c = client;

    return c->vdev->guest_features;
}

/* virtio reads host_features anew for each negotiation */
void vhost_pci_client_offer(void *client, uint64_t features)
{
    VhostPciClient *c = client;

    c->host_features = c->host_features ?: c->vdev->host_features;
    c->vdev->host_features = c->host_features &
        (features | ~c->api->client_features(c->object));
}

void vhost_pci_client_ask_for_reset(void *client)
{
    VhostPciClient *c = client;

    if (virtio_vdev_has_feature(c->vdev, VIRTIO_F_VERSION_1)) {
        c->vdev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
        virtio_notify_config(c->vdev);
    }
}

/* One message for everything that changed in this turn of the main loop */
static void client_driver_bh(void *opaque)
{
    VhostPciClient *c = opaque;

    c->api->client_negotiated(c->object);
    client_tell_state(c);
}

/* At attach there is no NIC yet: set its link state later */
static void client_link_bh(void *opaque)
{
    VhostPciClient *c = opaque;

    vhost_pci_client_link(c, !c->first->link_down);
}

static struct vhost_net *client_get_vhost_net(NetClientState *nc)
{
    return DO_UPCAST(VhostPciClientPair, nc, nc)->net;
}

/* Frames before a server is there are dropped */
static ssize_t client_receive(NetClientState *nc, const uint8_t *buf,
                              size_t size)
{
    return size;
}

/* Frames that QEMU itself sends: address announcements */
static ssize_t client_receive_raw(NetClientState *nc, const uint8_t *buf,
                                  size_t size)
{
    VhostPciClient *c = DO_UPCAST(VhostPciClientPair, nc, nc)->c;

    c->api->client_frame(c->object, buf, size);
    return size;
}

/* Called during negotiation: read the new state from the device later */
static void client_set_offload(NetClientState *nc, int csum, int tso4,
                               int tso6, int ecn, int ufo)
{
    qemu_bh_schedule(DO_UPCAST(VhostPciClientPair, nc, nc)->c->driver_bh);
}

static bool client_yes(NetClientState *nc)
{
    return true;
}

static int client_set_endian(NetClientState *nc, bool enable)
{
    return 0;
}

static void client_free(VhostPciClient *c)
{
    qemu_chr_fe_set_handlers(c->chr, NULL, NULL, NULL, NULL, NULL, NULL,
                             false);
    /* End the connection with the device, not with its chardev */
    qemu_chr_fe_disconnect(c->chr);
    if (c->object) {
        c->api->client_destroy(c->object);
    }
    qemu_bh_delete(c->disconnect_bh);
    qemu_bh_delete(c->link_bh);
    qemu_bh_delete(c->driver_bh);
    vhost_pci_left_out_free(c->left_out);
    g_free(c);
}

static void client_cleanup(NetClientState *nc)
{
    VhostPciClientPair *pair = DO_UPCAST(VhostPciClientPair, nc, nc);
    VhostPciClient *c = pair->c;

    if (pair->net) {
        vhost_net_cleanup(pair->net);
        g_free(pair->net);
        pair->net = NULL;
    }
    if (--c->pairs == 0) {
        client_free(c);
    }
}

static NetClientInfo client_info = {
    .type = NET_CLIENT_DRIVER_VHOST_PCI,
    .size = sizeof(VhostPciClientPair),
    .receive = client_receive,
    .receive_raw = client_receive_raw,
    .set_offload = client_set_offload,
    .cleanup = client_cleanup,
    .has_vnet_hdr = client_yes,
    .has_ufo = client_yes,
    .set_vnet_be = client_set_endian,
    .set_vnet_le = client_set_endian,
    .get_vhost_net = client_get_vhost_net,
};

static bool client_check_chardev(Chardev *chr, Error **errp)
{
    SocketChardev *s;

    if (!object_dynamic_cast(OBJECT(chr), TYPE_CHARDEV_SOCKET)) {
        error_setg(errp, "vhost-pci-client: chardev '%s' is not a socket",
                   chr->label);
        return false;
    }
    s = SOCKET_CHARDEV(chr);
    if (s->is_listen || s->addr->type != SOCKET_ADDRESS_TYPE_UNIX) {
        error_setg(errp, "vhost-pci-client: chardev '%s' must be a client of "
                   "a UNIX socket", chr->label);
        error_append_hint(errp, "Use -chardev socket,id=%s,path=PATH"
                          "[,reconnect=1]\n", chr->label);
        return false;
    }
    return true;
}

/* Users name the PCI device, which contains the virtio device */
static const char *client_name(DeviceState *nic, Chardev *chr)
{
    Object *proxy = object_dynamic_cast(OBJECT(nic)->parent, TYPE_DEVICE);

    if (nic->id) {
        return nic->id;
    }
    return proxy && DEVICE(proxy)->id ? DEVICE(proxy)->id : chr->label;
}

/* Deleting a net client deletes all of that name, so no one may share it */
static char *client_unique_name(const char *id)
{
    char *name = g_strdup_printf("%s.vhost-pci", id);

    for (unsigned i = 1; qemu_find_netdev(name); i++) {
        g_free(name);
        name = g_strdup_printf("%s.vhost-pci.%u", id, i);
    }
    return name;
}

static NetClientState *client_add_pair(VhostPciClient *c, const char *name)
{
    VhostNetOptions options = {
        .backend_type = VHOST_BACKEND_TYPE_VHOST_PCI,
        .nvqs = 2,
        .opaque = c,
    };
    VhostPciClientPair *pair;
    NetClientState *nc;

    nc = qemu_new_net_client(&client_info, NULL, "vhost-pci", name);
    nc->link_down = true;
    nc->queue_index = c->pairs++;
    /* A driver without multiqueue uses the first pair only */
    nc->vring_enable = nc->queue_index == 0;
    pair = DO_UPCAST(VhostPciClientPair, nc, nc);
    pair->c = c;
    c->first = c->first ?: nc;
    options.net_backend = nc;
    pair->net = vhost_net_init(&options);
    return pair->net ? nc : NULL;
}

static bool client_check_queues(VirtIONet *n, Error **errp)
{
    if (n->vhost_pci_queues < 1 || n->vhost_pci_queues > CLIENT_MAX_PAIRS) {
        error_setg(errp, "vhost-pci-queues=%u must be between 1 and %u",
                   n->vhost_pci_queues, CLIENT_MAX_PAIRS);
        return false;
    }
    if (n->vhost_pci_queues > 1 &&
        !virtio_has_feature(n->host_features, VIRTIO_NET_F_MQ)) {
        error_setg(errp, "vhost-pci-queues=%u needs mq=on",
                   n->vhost_pci_queues);
        return false;
    }
    return true;
}

bool vhost_pci_client_attach(VirtIONet *n, Error **errp)
{
    ERRP_GUARD();
    CharBackend *chr = &n->vhost_pci_chr;
    NICPeers *peers = &n->nic_conf.peers;
    const char *id = client_name(DEVICE(n), chr->chr);
    g_autofree char *name = client_unique_name(id);
    struct vhost_pci_client_config config = {
        .id = id,
        .mtu = n->net_conf.mtu,
        .queue_pairs = n->vhost_pci_queues,
        .memory_end = vhost_pci_memory_end(),
    };
    struct dotnet_error err = { 0 };
    const struct vhost_pci_api *api;
    VhostPciClient *c;

    if (peers->ncs[0]) {
        error_setg(errp, "netdev= and vhost-pci-client= exclude each other");
        return false;
    }
    if (!client_check_queues(n, errp) ||
        !client_check_chardev(chr->chr, errp)) {
        return false;
    }
    if (!config.memory_end) {
        vhost_pci_memory_explain(errp);
        return false;
    }
    api = vhost_pci_library(errp);
    if (!api) {
        return false;
    }
    qemu_macaddr_default_if_unset(&n->nic_conf.macaddr);
    memcpy(config.mac, n->nic_conf.macaddr.a, sizeof(config.mac));
    if (qemu_uuid_set) {
        memcpy(config.uuid, qemu_uuid.data, sizeof(config.uuid));
    }

    c = g_new0(VhostPciClient, 1);
    c->vdev = VIRTIO_DEVICE(n);
    c->chr = chr;
    c->api = api;
    c->left_out = vhost_pci_left_out_new(id);
    c->disconnect_bh = qemu_bh_new(client_disconnect_bh, c);
    c->link_bh = qemu_bh_new(client_link_bh, c);
    c->driver_bh = qemu_bh_new(client_driver_bh, c);
    if (api->client_create(c, &config, &c->object, &err) < 0) {
        dotnet_error_set(errp, &err);
        client_free(c);
        return false;
    }
    for (int i = 0; i < n->vhost_pci_queues; i++) {
        peers->ncs[i] = client_add_pair(c, name);
        if (!peers->ncs[i]) {
            error_setg(errp, "vhost-pci-client: vhost cannot be set up");
            qemu_del_net_client(c->first);
            memset(peers, 0, sizeof(*peers));
            return false;
        }
    }
    peers->queues = n->vhost_pci_queues;
    qemu_bh_schedule(c->link_bh);
    /* Reports CHR_EVENT_OPENED at once if it is connected already */
    qemu_chr_fe_set_handlers(chr, NULL, NULL, client_event, NULL, c, NULL,
                             true);
    return true;
}

void vhost_pci_client_detach(VirtIONet *n)
{
    NICPeers *peers = &n->nic_conf.peers;

    if (peers->ncs[0] && peers->ncs[0]->info == &client_info) {
        qemu_del_net_client(peers->ncs[0]);
        memset(peers, 0, sizeof(*peers));
    }
}

void vhost_pci_client_control(VirtIONet *n)
{
    NetClientState *nc = n->nic_conf.peers.ncs[0];

    if (nc && nc->info == &client_info) {
        qemu_bh_schedule(DO_UPCAST(VhostPciClientPair, nc, nc)->c->driver_bh);
    }
}
