/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server of a vhost-pci-net with chardev=: a socket and no bridge.
 */
#include "qemu/osdep.h"
#include "qemu/sockets.h"
#include "migration/blocker.h"
#include "net-pci.h"

static bool add_blocker(VhostPciNetPCI *p, const char *id, Error **errp)
{
    error_setg(&p->migration_blocker, "vhost-pci-net '%s' shares memory with "
               "another VM on this host and cannot be migrated", id);
    if (migrate_add_blocker(p->migration_blocker, errp) < 0) {
        error_free(p->migration_blocker);
        p->migration_blocker = NULL;
        return false;
    }
    return true;
}

uint64_t vhost_pci_own_server_open(VhostPciNetPCI *p, Error **errp)
{
    ERRP_GUARD();
    const char *id = DEVICE(p)->id ?: p->chr.chr->label;
    struct vhost_pci_server_config config;
    struct dotnet_error err = { 0 };
    uint32_t connections;
    int fd;

    fd = vhost_pci_listener_take(p->chr.chr, &connections, errp);
    if (fd < 0) {
        error_append_hint(errp, "Use -chardev socket,id=%s,server=on,wait=off,"
                          "path=PATH\n", p->chr.chr->label);
        return 0;
    }
    qemu_socket_set_nonblock(fd);
    vhost_pci_server_config(p->chr.chr, id, fd, &config);
    config.allow_uid = p->allow_uid;
    config.allow_unsealed = p->allow_unsealed;
    if (!add_blocker(p, id, errp)) {
        vhost_pci_listener_release(p->chr.chr);
        return 0;
    }
    if (p->api->server_create(p, &config, &p->own_server, &err) < 0) {
        dotnet_error_set(errp, &err);
        p->own_server = 0;
        vhost_pci_own_server_close(p);
    }
    return p->own_server;
}

void vhost_pci_own_server_close(VhostPciNetPCI *p)
{
    if (!p->migration_blocker) {
        return;
    }
    if (p->own_server) {
        p->api->server_destroy(p->own_server);
        p->own_server = 0;
    }
    migrate_del_blocker(p->migration_blocker);
    error_free(p->migration_blocker);
    p->migration_blocker = NULL;
    vhost_pci_listener_release(p->chr.chr);
}
