/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-pci-server: a PCI bridge whose slots are for the origins' devices.
 * All numbers and sizes come from the library.
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/cutils.h"
#include "qemu/sockets.h"
#include "qemu/units.h"
#include "qapi/qmp/qdict.h"
#include "qapi/visitor.h"
#include "chardev/char-fe.h"
#include "chardev/char-socket.h"
#include "hw/boards.h"
#include "hw/nvram/fw_cfg.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "hw/sysbus.h"
#include "migration/blocker.h"
#include "monitor/qdev.h"
#include "bridge.h"
#include "vhost-pci.h"

#define OVMF_MMIO64_FILE "opt/ovmf/X-PciMmio64Mb"
#define QUEUES_MAX 32           /* what a device can have */
#define PLUG_RATE 60            /* a minute */

OBJECT_DECLARE_SIMPLE_TYPE(VhostPciServer, VHOST_PCI_SERVER)

struct VhostPciServer {
    VhostPciBridge parent_obj;
    /* properties */
    CharBackend chr;
    uint64_t slot_size;
    bool allow_unsealed;
    char *allow_uid;
    char *slot_buses;
    char *dump;
    int log_level;
    uint32_t unplug_delay;
    uint32_t queues_max;
    uint32_t plug_rate;

    const struct vhost_pci_api *api;
    uint64_t object;
    Error *migration_blocker;
    bool window_allowed;
};

static bool fw_cfg_has_file(FWCfgState *fw_cfg, const char *name)
{
    uint32_t count = be32_to_cpu(fw_cfg->files->count);

    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(fw_cfg->files->f[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* OVMF sizes its 64-bit aperture by this file; one for all servers */
static void server_tell_ovmf(uint64_t mib)
{
    static bool ours;
    FWCfgState *fw_cfg = fw_cfg_find();
    char *text = g_strdup_printf("%" PRIu64, mib);

    if (!fw_cfg || (!ours && fw_cfg_has_file(fw_cfg, OVMF_MMIO64_FILE))) {
        g_free(text);   /* the user has decided */
        return;
    }
    g_free(fw_cfg_modify_file(fw_cfg, OVMF_MMIO64_FILE, text,
                              strlen(text) + 1));
    ours = true;
}

/* A file that the chardev made, not one that the user handed in as a fd */
static const char *server_socket_path(Chardev *chr)
{
    SocketAddress *addr = SOCKET_CHARDEV(chr)->addr;

    if (addr->type != SOCKET_ADDRESS_TYPE_UNIX || addr->u.q_unix.abstract) {
        return NULL;
    }
    return addr->u.q_unix.path;
}

void vhost_pci_server_config(Chardev *chr, const char *id, int fd,
                             struct vhost_pci_server_config *config)
{
    *config = (struct vhost_pci_server_config) {
        .id = id,
        .socket_path = server_socket_path(chr),
        .listen_fd = fd,
        .connections = 1,
        .slot_size = 4 * GiB,
        .max_memory = MACHINE(qdev_get_machine())->maxram_size,
        .phys_bits = TARGET_PHYS_ADDR_SPACE_BITS,
        .log_level = DOTNET_LOG_INFO,
        .queues_max = QUEUES_MAX,
        .plug_rate = PLUG_RATE,
        .uid = geteuid(),
    };
#ifdef TARGET_I386
    if (first_cpu) {
        config->phys_bits = X86_CPU(first_cpu)->phys_bits;
    }
#endif
}

static void server_config(VhostPciServer *s, int fd, uint32_t connections,
                          struct vhost_pci_server_config *config)
{
    vhost_pci_server_config(s->chr.chr, s->parent_obj.bus_name, fd, config);
    config->allow_uid = s->allow_uid;
    config->slot_buses = s->slot_buses;
    config->dump = s->dump;
    config->connections = connections;
    config->slot_size = s->slot_size;
    config->allow_unsealed = s->allow_unsealed;
    config->slots = PCI_SLOT_MAX;
    config->log_level = s->log_level;
    config->unplug_delay = s->unplug_delay;
    config->queues_max = s->queues_max;
    config->plug_rate = s->plug_rate;
}

/* As functions of the server's slot, so that the user's bus loses only one */
static bool server_add_bridges(VhostPciServer *s, uint32_t bridges,
                               Error **errp)
{
    PCIDevice *d = PCI_DEVICE(s);
    VhostPciBridge *b = &s->parent_obj;

    if (PCI_FUNC(d->devfn) + bridges > PCI_FUNC_MAX) {
        error_setg(errp, "vhost-pci-server '%s' needs %" PRIu32 " functions of "
                   "its slot: give it another addr=", b->bus_name, bridges);
        return false;
    }
    if (bridges > 1) {
        d->cap_present |= QEMU_PCI_CAP_MULTIFUNCTION;
        d->config[PCI_HEADER_TYPE] |= PCI_HEADER_TYPE_MULTI_FUNCTION;
    }
    for (uint32_t i = 1; i < bridges; i++) {
        PCIDevice *pci = pci_new_multifunction(d->devfn + i, true,
                                               TYPE_VHOST_PCI_BRIDGE);
        VhostPciBridge *more = VHOST_PCI_BRIDGE(pci);

        more->bus_name = g_strdup_printf("%s.bridge%" PRIu32, b->bus_name, i);
        more->mem_reserve = b->mem_reserve;
        more->pref64_reserve = b->pref64_reserve;
        if (!qdev_set_id(DEVICE(pci), g_strdup(more->bus_name), errp)) {
            object_unref(OBJECT(pci));
            return false;
        }
        if (!pci_realize_and_unref(pci, pci_get_bus(d), errp)) {
            return false;
        }
    }
    return true;
}

static void server_realize(PCIDevice *d, Error **errp)
{
    static unsigned count;
    ERRP_GUARD();
    VhostPciServer *s = VHOST_PCI_SERVER(d);
    VhostPciBridge *b = &s->parent_obj;
    struct vhost_pci_server_config config;
    struct vhost_pci_bridge_plan plan;
    struct dotnet_error err = { 0 };
    uint32_t connections;
    int fd;

    if (!s->chr.chr) {
        error_setg(errp, "vhost-pci-server needs chardev=");
        error_append_hint(errp, "Use -chardev socket,id=ID,server=on,wait=off,"
                          "connections=32,path=PATH "
                          "-vhost-pci-server socket,chardev=ID\n");
        return;
    }
    s->api = vhost_pci_library(errp);
    if (!s->api) {
        return;
    }
    /* Now, and not when an origin comes */
    s->window_allowed = vhost_pci_window_allowed(errp);
    if (!s->window_allowed) {
        return;
    }
    fd = vhost_pci_listener_take(s->chr.chr, &connections, errp);
    if (fd < 0) {
        return;
    }
    if (!connections) {
        error_setg(errp, "chardev '%s' is not a server for several clients",
                   s->chr.chr->label);
        error_append_hint(errp, "Use -chardev socket,id=%s,server=on,wait=off,"
                          "connections=32,path=...\n", s->chr.chr->label);
        return;
    }
    qemu_socket_set_nonblock(fd);
    b->bus_name = DEVICE(d)->id ? g_strdup(DEVICE(d)->id) :
                  g_strdup_printf("vhost-pci.%u", count);
    server_config(s, fd, connections, &config);
    if (s->api->server_plan(&config, &plan, &err) < 0) {
        dotnet_error_set(errp, &err);
        return;
    }
    b->mem_reserve = plan.mem_reserve;
    b->pref64_reserve = plan.pref64_reserve;
    vhost_pci_bridge_realize(d, errp);
    if (*errp) {
        return;
    }

    /* Covers the devices on the bus, with a better text than .unmigratable */
    error_setg(&s->migration_blocker, "vhost-pci-server '%s' shares memory "
               "with other VMs on this host and cannot be migrated",
               b->bus_name);
    if (migrate_add_blocker(s->migration_blocker, errp) < 0) {
        goto fail;
    }
    if (s->api->server_create(s, &config, &s->object, &err) < 0) {
        dotnet_error_set(errp, &err);
        goto fail_blocker;
    }
    /* Last: a server is never hot-plugged, so when this fails QEMU ends */
    if (!server_add_bridges(s, plan.bridges, errp)) {
        s->api->server_destroy(s->object);
        s->object = 0;
        goto fail_blocker;
    }
    if (plan.ovmf_mmio64_mib) {
        server_tell_ovmf(plan.ovmf_mmio64_mib);
    }
    count++;
    return;

fail_blocker:
    migrate_del_blocker(s->migration_blocker);
fail:
    error_free(s->migration_blocker);
    s->migration_blocker = NULL;
    vhost_pci_bridge_exit(d);
}

static void server_exit(PCIDevice *d)
{
    VhostPciServer *s = VHOST_PCI_SERVER(d);

    s->api->server_destroy(s->object);
    s->object = 0;
    migrate_del_blocker(s->migration_blocker);
    error_free(s->migration_blocker);
    vhost_pci_bridge_exit(d);
}

int vhost_pci_server_plug(void *server, uint64_t object, const char *bus,
                          uint32_t slot, const char *id,
                          struct dotnet_error *err)
{
    VhostPciServer *s = server;
    g_autoptr(QDict) opts = qdict_new();
    g_autofree char *number = g_strdup_printf("%" PRIu64, object);
    g_autofree char *addr = g_strdup_printf("%x", slot);
    Error *local_err = NULL;
    DeviceState *dev;

    qdict_put_str(opts, "driver", "vhost-pci-net");
    qdict_put_str(opts, "id", id);
    qdict_put_str(opts, "bus", bus ?: s->parent_obj.bus_name);
    qdict_put_str(opts, "addr", addr);
    qdict_put_str(opts, "x-object", number);
    dev = qdev_device_add_from_qdict(opts, false, &local_err);
    if (!dev) {
        return dotnet_error_get(err, local_err);
    }
    object_unref(OBJECT(dev));
    return 0;
}

void vhost_pci_server_window(void *server, const char *bus,
                             struct vhost_pci_bridge_window *out)
{
    PCIDevice *d = PCI_DEVICE(server);

    if (bus) {
        /* A bus has the name of its bridge */
        DeviceState *port = qdev_find_recursive(sysbus_get_default(), bus);

        if (!port || !object_dynamic_cast(OBJECT(port), TYPE_PCI_BRIDGE)) {
            *out = (struct vhost_pci_bridge_window) { 0 };
            return;
        }
        d = PCI_DEVICE(port);
    }
    out->base = pci_bridge_get_base(d, PCI_BASE_ADDRESS_MEM_PREFETCH);
    out->limit = pci_bridge_get_limit(d, PCI_BASE_ADDRESS_MEM_PREFETCH);
    out->bus = d->config[PCI_SECONDARY_BUS];
}

typedef struct ServerSearch {
    const char *id;
    VhostPciServer *found;
} ServerSearch;

static int server_search(Object *obj, void *opaque)
{
    ServerSearch *search = opaque;
    VhostPciServer *s = (VhostPciServer *)
        object_dynamic_cast(obj, TYPE_VHOST_PCI_SERVER);

    if (s && s->object && !strcmp(s->parent_obj.bus_name, search->id)) {
        search->found = s;
    }
    return search->found != NULL;
}

uint64_t vhost_pci_server_find(const char *id, Error **errp)
{
    ServerSearch search = { .id = id };

    object_child_foreach_recursive(object_get_root(), server_search, &search);
    if (!search.found) {
        error_setg(errp, "there is no vhost-pci-server '%s'", id);
        error_append_hint(errp, "It must come first on the command line, with "
                          "id=%s\n", id);
        return 0;
    }
    return search.found->object;
}

static const QEnumLookup log_levels = {
    .array = (const char *const[]) {
        [DOTNET_LOG_DEBUG] = "debug",
        [DOTNET_LOG_INFO] = "info",
        [DOTNET_LOG_WARNING] = "warning",
        [DOTNET_LOG_ERROR] = "error",
    },
    .size = DOTNET_LOG_ERROR + 1,
};

static int server_get_log_level(Object *obj, Error **errp)
{
    return VHOST_PCI_SERVER(obj)->log_level;
}

/* Not a qdev property: those cannot be changed once the device is realized */
static void server_set_log_level(Object *obj, int level, Error **errp)
{
    VhostPciServer *s = VHOST_PCI_SERVER(obj);

    s->log_level = level;
    if (s->object) {
        s->api->server_set_log_level(s->object, level);
    }
}

static void server_get_counter(Object *obj, Visitor *v, const char *name,
                               void *opaque, Error **errp)
{
    VhostPciServer *s = VHOST_PCI_SERVER(obj);
    struct vhost_pci_server_counters counters = { 0 };

    if (s->object) {
        s->api->server_counters(s->object, &counters);
    }
    visit_type_uint64(v, name, (void *)&counters + (uintptr_t)opaque, errp);
}

static const struct {
    const char *name;
    size_t offset;
    const char *text;
} server_counters[] = {
#define COUNTER(field) #field, offsetof(struct vhost_pci_server_counters, field)
    { COUNTER(accepted), "connections since the start" },
    { COUNTER(refused), "turned away or thrown out since the start" },
    { COUNTER(messages), "control messages since the start" },
    { COUNTER(connections), "connections now" },
    { COUNTER(devices), "devices now, with those that leave" },
#undef COUNTER
};

static void server_add_counters(ObjectClass *klass)
{
    for (int i = 0; i < ARRAY_SIZE(server_counters); i++) {
        const char *name = server_counters[i].name;

        object_class_property_add(klass, name, "uint64", server_get_counter,
                                  NULL, NULL,
                                  (void *)server_counters[i].offset);
        object_class_property_set_description(klass, name,
                                              server_counters[i].text);
    }
}

static void server_init(Object *obj)
{
    VHOST_PCI_SERVER(obj)->log_level = DOTNET_LOG_INFO;
}

static void server_finalize(Object *obj)
{
    if (VHOST_PCI_SERVER(obj)->window_allowed) {
        vhost_pci_window_unneeded();
    }
}

static Property server_properties[] = {
    DEFINE_PROP_CHR("chardev", VhostPciServer, chr),
    DEFINE_PROP_STRING("allow-uid", VhostPciServer, allow_uid),
    DEFINE_PROP_STRING("slots", VhostPciServer, slot_buses),
    DEFINE_PROP_STRING("dump", VhostPciServer, dump),
    DEFINE_PROP_UINT32("unplug-delay", VhostPciServer, unplug_delay, 3),
    DEFINE_PROP_UINT32("queues-max", VhostPciServer, queues_max, QUEUES_MAX),
    DEFINE_PROP_UINT32("plug-rate", VhostPciServer, plug_rate, PLUG_RATE),
    DEFINE_PROP_SIZE("slot-size", VhostPciServer, slot_size, 4 * GiB),
    DEFINE_PROP_BOOL("allow-unsealed", VhostPciServer, allow_unsealed, false),
    DEFINE_PROP_END_OF_LIST(),
};

static void server_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->realize = server_realize;
    k->exit = server_exit;
    dc->desc = "vhost-pci server: slots for the network devices of other VMs";
    dc->user_creatable = true;
    device_class_set_props(dc, server_properties);
    object_class_property_add_enum(klass, "log-level", "VhostPciLogLevel",
                                   &log_levels, server_get_log_level,
                                   server_set_log_level);
    object_class_property_set_description(klass, "log-level",
        "debug, info, warning or error; can be changed at any time");
    server_add_counters(klass);
}

static const TypeInfo server_info = {
    .name = TYPE_VHOST_PCI_SERVER,
    .parent = TYPE_VHOST_PCI_BRIDGE,
    .instance_size = sizeof(VhostPciServer),
    .instance_init = server_init,
    .instance_finalize = server_finalize,
    .class_init = server_class_init,
};

static void server_register_types(void)
{
    type_register_static(&server_info);
}

type_init(server_register_types)
