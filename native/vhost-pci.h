/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the vhost-pci shim share.
 *
 * The shim is mechanism only: QOM types, memory regions and QEMU calls.  What
 * to do and when is decided by libvhostpci.so through vhost_pci_abi.h.
 */
#ifndef HW_VHOST_PCI_H
#define HW_VHOST_PCI_H

#include "chardev/char.h"
#include "hw/virtio/virtio-pci.h"
#include "dotnet-host.h"
#include "vhost_pci_abi.h"
#include "vhost_pci_guest_abi.h"

#define TYPE_VHOST_PCI_SERVER "vhost-pci-server"
#define TYPE_VHOST_PCI_NET "vhost-pci-net-device"
#define TYPE_VHOST_PCI_NET_PCI "vhost-pci-net-base"

/* The virtio half of a vhost-pci-net */
OBJECT_DECLARE_SIMPLE_TYPE(VhostPciNet, VHOST_PCI_NET)

struct VhostPciNet {
    VirtIODevice parent_obj;
    const struct vhost_pci_api *api;
    uint64_t object;            /* the library's number of this device */
    uint32_t rings;
    uint32_t config_size;
};

/* vhost-pci.c: load once, at the first realize that needs it */
const struct vhost_pci_api *vhost_pci_library(Error **errp);
/* The table if it is loaded, else NULL */
const struct vhost_pci_api *vhost_pci_library_loaded(void);
/* Time that dlopen and the first call took, in microseconds; once loaded */
int64_t vhost_pci_library_load_us(void);
/* As dotnet_host.close_later; once loaded */
void vhost_pci_close_later(uint64_t lane, int32_t fd);

/*
 * fault.c: pages of a window that are gone.  The first server makes SIGBUS
 * ours, for all that is inside of a window.
 */
typedef struct VhostPciFaultWindow VhostPciFaultWindow;
VhostPciFaultWindow *vhost_pci_fault_add(uint64_t object, void *base,
                                         uint64_t size, Error **errp);
void vhost_pci_fault_remove(VhostPciFaultWindow *w);
/* Whether there was a fault since the last call */
bool vhost_pci_fault_take(VhostPciFaultWindow *w);
/*
 * Whether this VM can have memory that changes; until .._unneeded() nothing
 * that pins memory can be added
 */
bool vhost_pci_window_allowed(Error **errp);
void vhost_pci_window_unneeded(void);

/*
 * listener.c: @chr's listening descriptor, or negative; taken again after a
 * release
 */
int vhost_pci_listener_take(Chardev *chr, uint32_t *connections, Error **errp);
void vhost_pci_listener_release(Chardev *chr);

/* server.c */
int vhost_pci_server_plug(void *server, uint64_t object, const char *bus,
                          uint32_t slot, const char *id,
                          struct dotnet_error *err);
/* The library's number of the server with this id */
uint64_t vhost_pci_server_find(const char *id, Error **errp);
/*
 * What is the same for all servers: one of @chr's, for one origin at a time,
 * without a bridge
 */
void vhost_pci_server_config(Chardev *chr, const char *id, int fd,
                             struct vhost_pci_server_config *config);
void vhost_pci_server_window(void *server, const char *bus,
                             struct vhost_pci_bridge_window *out);

/* net-pci.c */
int vhost_pci_net_unplug(void *device, struct dotnet_error *err);
void vhost_pci_net_config_changed(void *device);
/* From the virtio half, before the status takes effect */
void vhost_pci_net_driver_ok(void *device, bool driver_ok);
int vhost_pci_net_bind(void *device, uint32_t ring, uint32_t which,
                       int32_t fd);
int vhost_pci_net_bind_rings(void *device,
                             const struct vhost_pci_ring_files *files,
                             uint32_t count);
void vhost_pci_net_raise(void *device, uint32_t ring);
void vhost_pci_net_counters(void *device, uint32_t ring,
                            struct vhost_pci_ring_counters *out);
uint32_t vhost_pci_net_take_fault(void *device);

/* client.c */
void vhost_pci_client_link(void *client, uint32_t up);
uint64_t vhost_pci_client_driver_features(void *client);
void vhost_pci_client_offer(void *client, uint64_t features);
void vhost_pci_client_ask_for_reset(void *client);
void vhost_pci_client_disconnect(void *client);

#endif /* HW_VHOST_PCI_H */
