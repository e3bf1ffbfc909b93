/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading libvhostpci.so.
 *
 * Not before the first device needs it: QEMU without vhost-pci devices has no
 * .NET runtime in it, -daemonize has forked by then, and a missing library is
 * an error of that device.
 */
#include "qemu/osdep.h"
#include <dlfcn.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include "qemu/cutils.h"
#include "qemu/event_notifier_shared.h"
#include "qemu/timer.h"
#include "vhost-pci.h"
#include "trace.h"

#define LIBRARY_NAME "libvhostpci.so"
#define LIBRARY_ENV "VHOST_PCI_LIBRARY"

/*
 * The .NET runtime registers the process for membarrier(2).  In a process with
 * threads that waits for a grace period of the kernel's RCU, which is most of
 * the time that loading takes (10 ms and more).  Before there is a thread,
 * and QEMU's own constructors start one, it takes nothing; the runtime then
 * finds it done.
 */
static void __attribute__((constructor(101))) register_membarrier(void)
{
    syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

static const struct vhost_pci_api *library_api;
static int64_t library_load_us;

void vhost_pci_error_set(Error **errp, const struct vhost_pci_error *err)
{
    error_setg(errp, "%.*s", (int)sizeof(err->text), err->text[0] ?
               err->text : "libvhostpci.so failed without a reason");
}

int vhost_pci_error_get(struct vhost_pci_error *err, Error *local)
{
    pstrcpy(err->text, sizeof(err->text), error_get_pretty(local));
    error_free(local);
    return -EIO;
}

/* Once loaded the library stays: its runtime cannot be unloaded */
static void *library_open(char **path)
{
    const char *user = getenv(LIBRARY_ENV);
    int flags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;

    if (user && *user) {
        *path = g_strdup(user);
        return dlopen(user, flags);
    }
    *path = g_build_filename(qemu_get_exec_dir(), LIBRARY_NAME, NULL);
    if (access(*path, F_OK) < 0) {
        g_free(*path);
        *path = g_strdup(LIBRARY_NAME);
    }
    return dlopen(*path, flags);
}

/*
 * The runtime's threads keep what they are made with.  The main thread has
 * SIGBUS blocked, and blocked, a page lost under a window ends the process.
 */
static void open_sigbus(sigset_t *before)
{
    sigset_t sigbus;

    sigemptyset(&sigbus);
    sigaddset(&sigbus, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &sigbus, before);
}

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
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    g_autofree char *path = NULL;
    const struct vhost_pci_api *api = NULL;
    struct vhost_pci_error err = { 0 };
    vhost_pci_get_api_fn get_api;
    sigset_t before;
    void *lib;
    int ret;

    if (library_api) {
        return library_api;
    }
    if (!vhost_pci_closer_start(errp) || !prepare_signals(errp)) {
        return NULL;
    }
    open_sigbus(&before);
    lib = library_open(&path);
    if (!lib) {
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        error_setg(errp, "vhost-pci: cannot load %s: %s", path, dlerror());
        error_append_hint(errp, "Put %s beside the QEMU binary or set "
                          "%s to its path.\n", LIBRARY_NAME, LIBRARY_ENV);
        return NULL;
    }
    get_api = (vhost_pci_get_api_fn)dlsym(lib, VHOST_PCI_GET_API_SYMBOL);
    if (!get_api) {
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        error_setg(errp, "vhost-pci: %s has no %s", path,
                   VHOST_PCI_GET_API_SYMBOL);
        return NULL;
    }
    ret = get_api(VHOST_PCI_ABI_VERSION, &vhost_pci_host, &api, &err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ret < 0) {
        error_setg(errp, "vhost-pci: %s: %.*s", path, (int)sizeof(err.text),
                   err.text);
        return NULL;
    }
    if (api->version != VHOST_PCI_ABI_VERSION || api->size != sizeof(*api)) {
        error_setg(errp, "vhost-pci: %s has ABI version %u (%u bytes), this "
                   "QEMU needs version %u (%zu bytes)", path, api->version,
                   api->size, VHOST_PCI_ABI_VERSION, sizeof(*api));
        error_append_hint(errp, "Build both from the same sources.\n");
        return NULL;
    }
    library_load_us = (qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start) / 1000;
    trace_vhost_pci_library(path, library_load_us);
    library_api = api;
    return api;
}

const struct vhost_pci_api *vhost_pci_library_loaded(void)
{
    return library_api;
}

int64_t vhost_pci_library_load_us(void)
{
    return library_load_us;
}
