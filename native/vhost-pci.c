/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvhostpci.so: its interface "vhost-pci", and struct vhost_pci_host for it.
 */
#include "qemu/osdep.h"
#include "qemu/event_notifier_shared.h"
#include "qemu/timer.h"
#include "vhost-pci.h"
#include "trace.h"

#define LIBRARY_NAME "libvhostpci.so"
#define LIBRARY_ENV "VHOST_PCI_LIBRARY"

static DotnetLibrary *library;
static const struct vhost_pci_api *library_api;
static int64_t library_load_us;

static void host_trace(uint32_t event, uint64_t id, uint64_t a, uint64_t b)
{
    switch (event) {
    case VHOST_PCI_TRACE_ACCEPT:
        trace_vhost_pci_accept(id, a, b);
        break;
    case VHOST_PCI_TRACE_REFUSE:
        trace_vhost_pci_refuse(id, a, b);
        break;
    case VHOST_PCI_TRACE_MESSAGE:
        trace_vhost_pci_message(id, a, b);
        break;
    case VHOST_PCI_TRACE_CLOSE:
        trace_vhost_pci_close(id);
        break;
    case VHOST_PCI_TRACE_PLUG:
        trace_vhost_pci_plug(id, a);
        break;
    case VHOST_PCI_TRACE_UNPLUG:
        trace_vhost_pci_unplug(id, a, b);
        break;
    case VHOST_PCI_TRACE_MAP:
        trace_vhost_pci_map(id, a, b);
        break;
    case VHOST_PCI_TRACE_CLEAR:
        trace_vhost_pci_clear(id, a);
        break;
    case VHOST_PCI_TRACE_BIND:
        trace_vhost_pci_bind(id, a, b);
        break;
    case VHOST_PCI_TRACE_EPOCH:
        trace_vhost_pci_epoch(id, a, b);
        break;
    case VHOST_PCI_TRACE_ACK:
        trace_vhost_pci_ack(id, a);
        break;
    case VHOST_PCI_TRACE_STATUS:
        trace_vhost_pci_status(id, a);
        break;
    case VHOST_PCI_TRACE_CLIENT_LINK:
        trace_vhost_pci_client_link(id, a);
        break;
    case VHOST_PCI_TRACE_CLIENT_MESSAGE:
        trace_vhost_pci_client_message(id, a, b);
        break;
    }
}

static const struct vhost_pci_host host_table = {
    .version = VHOST_PCI_ABI_VERSION,
    .size = sizeof(struct vhost_pci_host),
    .trace = host_trace,
    .plug_device = vhost_pci_server_plug,
    .bridge_window = vhost_pci_server_window,
    .unplug_device = vhost_pci_net_unplug,
    .config_changed = vhost_pci_net_config_changed,
    .bind_ring = vhost_pci_net_bind,
    .bind_rings = vhost_pci_net_bind_rings,
    .raise_ring = vhost_pci_net_raise,
    .ring_counters = vhost_pci_net_counters,
    .take_window_fault = vhost_pci_net_take_fault,
    .client_link = vhost_pci_client_link,
    .client_driver_features = vhost_pci_client_driver_features,
    .client_offer = vhost_pci_client_offer,
    .client_ask_for_reset = vhost_pci_client_ask_for_reset,
    .client_disconnect = vhost_pci_client_disconnect,
};

/* The first signal opens what all others need, as long as there is room */
static bool prepare_signals(Error **errp)
{
    EventNotifier e;
    int ret = event_notifier_init(&e, false);

    if (ret < 0) {
        error_setg_errno(errp, -ret, "vhost-pci: cannot signal");
        return false;
    }
    event_notifier_set_nowait(&e);
    event_notifier_cleanup(&e);
    return true;
}

const struct vhost_pci_api *vhost_pci_library(Error **errp)
{
    const char *user = getenv(LIBRARY_ENV);
    int64_t start = qemu_clock_get_us(QEMU_CLOCK_REALTIME);
    ERRP_GUARD();

    if (library_api) {
        return library_api;
    }
    if (!prepare_signals(errp)) {
        return NULL;
    }
    library = dotnet_library_load(user && *user ? user : LIBRARY_NAME, errp);
    if (!library) {
        error_append_hint(errp, "Put %s beside the QEMU binary or set "
                          "%s to its path.\n", LIBRARY_NAME, LIBRARY_ENV);
    } else {
        library_api = dotnet_library_interface(library, VHOST_PCI_INTERFACE,
                                               VHOST_PCI_ABI_VERSION,
                                               &host_table,
                                               sizeof(*library_api), errp);
    }
    library_load_us = qemu_clock_get_us(QEMU_CLOCK_REALTIME) - start;
    if (!library_api) {
        error_prepend(errp, "vhost-pci: ");
        return NULL;
    }
    trace_vhost_pci_library(library->path, library_load_us);
    return library_api;
}

const struct vhost_pci_api *vhost_pci_library_loaded(void)
{
    return library_api;
}

int64_t vhost_pci_library_load_us(void)
{
    return library_load_us;
}

void vhost_pci_close_later(uint64_t lane, int32_t fd)
{
    dotnet_close_later(library, lane, fd);
}
